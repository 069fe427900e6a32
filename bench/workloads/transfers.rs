//! Transfers between ten accounts, all of the amount 1: what one account loses another one gains,
//! so the balances add up to 0 whenever anybody looks.
//!
//! Transfers happen in 60 seconds of event time and arrive up to 10 s later than others.

use std::collections::BTreeMap;

use highwater::codec::{Field, Wire};
use highwater::error::Result;
use highwater::prelude::{Deserialize, Serialize, Time};
use serde::de::MapAccess;

use super::dice::Dice;
use super::{Events, Place};

pub use super::PARTITIONS;

/// Accounts; both sides of a transfer may be the same one.
pub const ACCOUNTS: u64 = 10;

/// Seconds of event time, and of delay at most.
const SPAN_S: u64 = 60;
const DELAY_S: f64 = 10.0;

/// A transfer as engines in Rust decode it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Transfer {
    /// Its number.
    pub id: i64,
    /// Who pays.
    pub from: i64,
    /// Who is paid.
    pub to: i64,
    /// How much.
    pub amount: i64,
    /// When.
    pub at: Option<Time>,
}

impl Wire for Transfer {
    fn field<'de, A: MapAccess<'de>>(
        &mut self,
        name: &str,
        field: Field<'_, A>,
    ) -> std::result::Result<(), A::Error> {
        match name {
            "id" => whole(field, &mut self.id),
            "from" => whole(field, &mut self.from),
            "to" => whole(field, &mut self.to),
            // Without an amount nothing is moved.
            "amount" => whole(field, &mut self.amount),
            "ts" => field.time(&mut self.at),
            _ => field.skip(),
        }
    }
}

fn whole<'de, A: MapAccess<'de>>(
    field: Field<'_, A>,
    into: &mut i64,
) -> std::result::Result<(), A::Error> {
    let mut number = None;
    field.i64(&mut number)?;
    *into = number.unwrap_or_default();
    Ok(())
}

/// A number of transfers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Plan {
    /// Another seed, other accounts and delays.
    pub seed: u64,
    /// How many.
    pub transfers: u64,
}

impl Plan {
    /// All transfers in the order in which they arrive.
    pub fn arrivals(&self) -> Vec<Transfer> {
        let transfer = |id: u64| {
            let mut dice = Dice::of(self.seed, id);
            let second = SPAN_S * id / self.transfers;
            let arrives = second as f64 + DELAY_S * dice.unit();
            let at = Some(Time::from_seconds(1_767_225_600 + second as i64));
            let [from, to] = [(); 2].map(|()| dice.below(ACCOUNTS) as i64);
            (arrives, Transfer { id: id as i64, from, to, amount: 1, at })
        };
        let mut arrivals: Vec<(f64, Transfer)> = (0..self.transfers).map(transfer).collect();
        arrivals.sort_by(|(one, _), (other, _)| one.total_cmp(other));
        arrivals.into_iter().map(|(_, transfer)| transfer).collect()
    }
}

/// Transfers in the order in which they arrive.
pub struct Backlog(pub Vec<Transfer>);

impl Events for Backlog {
    fn topics(&self) -> Vec<(&'static str, u32)> {
        vec![("", PARTITIONS)]
    }

    fn count(&self) -> u64 {
        self.0.len() as u64
    }

    fn write(&self, n: u64, out: &mut String) -> Place {
        *out = self.0[n as usize].json();
        Place { topic: 0, partition: (n % u64::from(PARTITIONS)) as u32 }
    }

    /// No window needs to be closed: views show their rows at once.
    fn closing(&self, _send: &mut dyn FnMut(Place, &str) -> Result<()>) -> Result<()> {
        Ok(())
    }

    fn records(&self) -> u64 {
        self.count()
    }
}

impl Transfer {
    /// Itself as a JSON document.
    pub fn json(&self) -> String {
        let Transfer { id, from, to, amount, .. } = self;
        let at = self.at.map_or("null".into(), |at| format!("\"{at}\""));
        format!(r#"{{"id":{id},"from":{from},"to":{to},"amount":{amount},"ts":{at}}}"#)
    }
}

/// What each account has in the end, from 0.
pub fn balances(transfers: &[Transfer]) -> BTreeMap<i64, i64> {
    let mut balances: BTreeMap<i64, i64> = BTreeMap::new();
    for transfer in transfers {
        *balances.entry(transfer.from).or_default() -= transfer.amount;
        *balances.entry(transfer.to).or_default() += transfer.amount;
    }
    balances
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn transfers_arrive_out_of_order_and_leave_a_sum_of_nothing() {
        let transfers = Plan { seed: 1, transfers: 6_000 }.arrivals();
        let times: Vec<Time> = transfers.iter().filter_map(|transfer| transfer.at).collect();
        let mut newest = times[0];
        for at in times {
            assert!(newest.micros() - at.micros() <= 10_000_000);
            newest = newest.max(at);
        }
        assert!(!transfers.is_sorted_by_key(|transfer| transfer.at));
        let balances = balances(&transfers);
        assert_eq!((balances.len(), balances.values().sum::<i64>()), (10, 0));
        assert!(balances.values().any(|balance| *balance != 0));
    }
}
