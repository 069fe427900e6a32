//! The topic `auth`: who logs in and out.

use highwater::codec::Field;
use serde::de::MapAccess;

use super::{Action, Topic};

/// The fields of the topic.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Auth {
    /// Whether a login was let in. The producer reports no other logins and leaves it out.
    pub success: Option<bool>,
}

impl Topic for Auth {
    const RENAMED: &'static [(&'static str, Action)] = &[("SIGNUP", Action::Register)];

    #[inline]
    fn field<'de, A: MapAccess<'de>>(
        &mut self,
        name: &str,
        field: Field<'_, A>,
    ) -> Result<(), A::Error> {
        match name {
            "success" => field.bool(&mut self.success),
            _ => field.skip(),
        }
    }

    fn fill(&mut self, action: &Action) {
        if *action == Action::Login {
            self.success.get_or_insert(true);
        }
    }
}
