//! [`Balance`]: who has logged in more often than out, among all users of a window.
//!
//! It is an aggregate, so the users of a window are counted when the window has closed, exactly
//! and in event time. Counting the closed rows of all users in a view behind the windows would
//! give a number that still changes.

use std::collections::BTreeMap;

use highwater::prelude::*;
use highwater_datasets::elearning::{Action, AuthEvent};

/// Logins minus logouts, by user; one user is held without a table.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Balance {
    first: Option<(Text, i64)>,
    others: BTreeMap<Text, i64>,
}

impl Balance {
    /// That of one event; of nobody, if it does not say who.
    pub(super) fn of(event: &AuthEvent) -> Balance {
        let step = if event.did(Action::Logout) { -1 } else { 1 };
        let first = event.user_id.as_ref().map(|user| (user.clone(), step));
        Balance { first, others: BTreeMap::new() }
    }

    /// How many users have logged in more often than out.
    pub(super) fn logged_in(&self) -> usize {
        let first = self.first.iter().map(|(_, balance)| balance);
        first.chain(self.others.values()).filter(|balance| 0 < **balance).count()
    }

    fn add(&mut self, user: &Text, step: i64) {
        match &mut self.first {
            Some((first, balance)) if first == user => *balance += step,
            Some(_) => match self.others.get_mut(user) {
                Some(balance) => *balance += step,
                None => drop(self.others.insert(user.clone(), step)),
            },
            None => self.first = Some((user.clone(), step)),
        }
    }
}

impl Aggregate for Balance {
    fn merge(&mut self, other: &Balance) {
        let first = other.first.iter().map(|(user, balance)| (user, balance));
        first.chain(&other.others).for_each(|(user, balance)| self.add(user, *balance));
    }

    fn absorb(&mut self, mut other: Balance) {
        if self.others.len() < other.others.len() {
            std::mem::swap(self, &mut other);
        }
        self.merge(&other);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn balance(steps: &[(&str, i64)]) -> Balance {
        let mut all = Balance::default();
        for (user, step) in steps {
            all.absorb(Balance { first: Some(((*user).into(), *step)), ..Balance::default() });
        }
        all
    }

    fn users(balance: &Balance) -> BTreeMap<Text, i64> {
        balance.first.clone().into_iter().chain(balance.others.clone()).collect()
    }

    #[test]
    fn the_order_and_the_grouping_do_not_matter() {
        let steps = [("a", 1), ("b", 1), ("a", -1), ("c", -1), ("b", 1), ("a", 1), ("c", 1)];
        let expect: BTreeMap<Text, i64> =
            [("a".into(), 1), ("b".into(), 2), ("c".into(), 0)].into();
        for cut in 0..=steps.len() {
            let (left, right) = (balance(&steps[..cut]), balance(&steps[cut..]));
            for (mut one, other) in [(left.clone(), &right), (right.clone(), &left)] {
                one.merge(other);
                assert_eq!((users(&one), one.logged_in()), (expect.clone(), 2), "cut at {cut}");
                one.absorb(Balance::default());
                assert_eq!(users(&one), expect);
            }
            let mut absorbed = left;
            absorbed.absorb(right);
            assert_eq!(users(&absorbed), expect);
        }
        assert_eq!(Balance::default().logged_in(), 0);
    }
}
