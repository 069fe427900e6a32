//! Balances of accounts: views that agree with each other whenever they are read.
//!
//! ```text
//! transfers ─► kept ─┬─ by payer ─► debits ──┬─► balance ─► total, always 0
//!                    └─ by payee ─► credits ─┘
//! ```
//!
//! All of them are made of one kept view: at each tick a transfer is in all of them, or in none.

use highwater::prelude::*;
use highwater_bench::workloads::transfers::Transfer;

/// How long to wait for a transfer that is late: none is later.
const DELAY: Duration = seconds(10);

/// For how long transfers are kept.
const KEEP: Duration = days(1);

/// The job file.
pub(crate) const JOB_FILE: &str = r#"
dataflow = "transfers"
[source.transfers]
kafka = { topic = "transfers", brokers = "localhost:9092" }
[view.debits]
key = ["account"]
[view.credits]
key = ["account"]
[view.balance]
key = ["account"]
[view.total]
key = ["of"]
[sink."*"]
kafka = { topic = "{view}", brokers = "localhost:9092" }
"#;

/// A sum of an account.
#[derive(Clone, Debug, Serialize, Deserialize, Row)]
struct Sum {
    account: i64,
    amount: i64,
}

/// The sum of all balances.
#[derive(Clone, Serialize, Deserialize, Row)]
struct Total {
    of: Text,
    total: i64,
}

/// What accounts have paid, what they were paid, what they have, and the sum of that.
pub(crate) fn transfers(flow: &Flow, _: &mut Parameters) -> Result<()> {
    let kept = flow.source("transfers", DELAY, |transfer: &Transfer| transfer.at).keep(KEEP);
    let debits = sums(&kept, |transfer| transfer.from);
    let credits = sums(&kept, |transfer| transfer.to);
    // An account without a row on one side has paid, or was paid, nothing.
    let paid = debits.map(|sum| Sum { amount: -sum.amount, ..sum });
    let balance = summed(&paid.concat(&credits));
    debits.sink("debits");
    credits.sink("credits");
    balance.sink("balance");
    balance
        .arrange_by(|_| ())
        .reduce(|(), balances| {
            let total = balances.iter().map(|balance| balance.amount).sum();
            Some(Total { of: "all".into(), total })
        })
        .sink("total");
    Ok(())
}

/// Sums by account: of each second first, so that a transfer changes a small sum and a few of them.
fn sums(kept: &View<Transfer>, account: impl Fn(&Transfer) -> i64 + 'static) -> View<Sum> {
    let seconds = kept
        .arrange_by(move |transfer| (account(transfer), transfer.at.map(Time::seconds)))
        .reduce(|(account, _), transfers| {
            let amount = transfers.iter().map(|transfer| transfer.amount).sum();
            Some(Sum { account, amount })
        });
    summed(&seconds)
}

fn summed(sums: &View<Sum>) -> View<Sum> {
    sums.arrange_by(|sum| sum.account).reduce(|account, sums| {
        Some(Sum { account, amount: sums.iter().map(|sum| sum.amount).sum() })
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use highwater_bench::workloads::transfers::{Plan, balances};
    use serde_json::Value;

    use crate::tests::{PACES, run};

    /// Key columns, as the job file says.
    const KEYS: [(&str, &[&str]); 4] = [
        ("debits", &["account"]),
        ("credits", &["account"]),
        ("balance", &["account"]),
        ("total", &["of"]),
    ];

    #[test]
    fn the_total_is_0_at_every_output() {
        let transfers = Plan { seed: 1, transfers: 20_000 }.arrivals();
        let mut partitions = vec![Vec::new(); 4];
        for (n, transfer) in transfers.iter().enumerate() {
            partitions[n % 4].push(transfer.json());
        }
        for pace in PACES {
            let ran = run("transfers", "transfers", &KEYS, &partitions, pace);
            let sums = |view: &str| -> BTreeMap<i64, i64> {
                let read = |row: String| {
                    let row: Value = serde_json::from_str(&row).unwrap();
                    (row["account"].as_i64().unwrap(), row["amount"].as_i64().unwrap())
                };
                ran.rows(view).into_iter().map(read).collect()
            };
            assert_eq!(sums("balance"), balances(&transfers), "{pace:?}");
            let (debits, credits) = (sums("debits"), sums("credits"));
            assert_eq!(debits.values().sum::<i64>(), 20_000);
            assert_eq!(credits.values().sum::<i64>(), 20_000);
            let totals = ran.written("total", "total");
            assert!(!totals.is_empty() && totals.iter().all(|total| *total == 0), "{totals:?}");
            // The balances were shown on their way, not at the end alone.
            let shown = ran.written("balance", "amount").len();
            assert!(100 < shown || !pace.is_cut, "{shown} {pace:?}");
        }
    }
}
