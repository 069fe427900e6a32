//! Balances of accounts: the newest row of each, and a sum that must be 0 whenever it is shown.

use std::collections::BTreeMap;
use std::sync::Arc;

use highwater::error::Result;
use serde::Deserialize;

use super::{Check, Verdict};
use crate::harness::rows::{Record, read};

/// The balances that were shown last, beside an answer.
pub struct Balances {
    answer: Arc<BTreeMap<i64, i64>>,
    found: BTreeMap<i64, i64>,
    /// Sums that are not 0: each is a moment at which views did not agree.
    violations: Vec<i64>,
    /// Whether a sum was shown at all.
    is_shown: bool,
}

/// Which view a row is of.
#[derive(Deserialize)]
struct Key {
    view: String,
}

/// A row of the views `balance` and `total`.
#[derive(Deserialize)]
struct Row {
    account: Option<i64>,
    amount: Option<i64>,
    total: Option<i64>,
}

impl Balances {
    /// Without any rows.
    pub fn new(answer: Arc<BTreeMap<i64, i64>>) -> Balances {
        Balances { answer, found: BTreeMap::new(), violations: Vec::new(), is_shown: false }
    }
}

impl Check for Balances {
    fn take(&mut self, record: &Record<'_>) -> Result<()> {
        let (Some(key), Some(value)) = (record.key, record.value) else { return Ok(()) };
        let key: Key = read(key)?;
        match (&*key.view, read(value)?) {
            ("balance", Row { account: Some(account), amount: Some(amount), .. }) => {
                self.found.insert(account, amount);
            }
            ("total", Row { total: Some(total), .. }) => {
                self.is_shown = true;
                self.violations.extend((total != 0).then_some(total));
            }
            _ => {}
        }
        Ok(())
    }

    fn is_complete(&self) -> bool {
        self.is_shown && self.found == *self.answer
    }

    fn compare(&self, _approximate: bool) -> Verdict {
        let mut verdict = Verdict::default();
        for (account, expected) in &*self.answer {
            let got = self.found.get(account);
            let kind = match got {
                Some(got) if got == expected => {
                    verdict.equal += 1;
                    continue;
                }
                Some(_) => "wrong",
                None => "missing",
            };
            verdict.wrong += usize::from(got.is_some());
            verdict.missing += usize::from(got.is_none());
            let key = account.to_string();
            verdict.note((0, &key), "amount", (Some(*expected), got.copied()), kind);
        }
        verdict.missing += usize::from(!self.is_shown);
        verdict.extra += self.violations.len();
        for total in &self.violations {
            verdict.note((0, "all"), "total", (Some(0), Some(*total)), "extra");
        }
        verdict
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn take(balances: &mut Balances, view: &str, row: &str) {
        let key = format!(r#"{{"view":"{view}"}}"#);
        let (key, value) = (Some(key.as_bytes()), Some(row.as_bytes()));
        balances.take(&Record { at_us: 0, key, value }).unwrap();
    }

    #[test]
    fn a_sum_that_was_not_0_for_a_moment_is_a_violation() {
        let mut balances = Balances::new(Arc::new([(1, -5), (2, 5)].into()));
        take(&mut balances, "balance", r#"{"account":1,"amount":-9}"#);
        take(&mut balances, "balance", r#"{"account":2,"amount":5}"#);
        take(&mut balances, "balance", r#"{"account":1,"amount":-5}"#);
        assert!(!balances.is_complete(), "no sum was shown");
        take(&mut balances, "total", r#"{"of":"all","total":0}"#);
        assert!(balances.is_complete() && balances.compare(false).is_equal());
        take(&mut balances, "total", r#"{"of":"all","total":3}"#);
        take(&mut balances, "total", r#"{"of":"all","total":0}"#);
        let verdict = balances.compare(false);
        assert_eq!((verdict.equal, verdict.extra), (2, 1));
    }
}
