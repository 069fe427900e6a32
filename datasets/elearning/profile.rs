//! The topic `profile`: users change what is known of them.

use highwater::codec::Field;
use highwater::text::Text;
use serde::de::MapAccess;

use super::{Action, Topic};

/// The fields of the topic.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Profile {
    /// Which field of the profile was changed; the producer has a list.
    pub field_name: Option<Text>,
    /// The producer's list, once it is known to count.
    more_fields: Option<Vec<Option<Text>>>,
    updated_fields: Option<Vec<Option<Text>>>,
}

impl Profile {
    /// The fields of the profile that were changed.
    pub fn changed(&self) -> impl Iterator<Item = &Text> {
        self.field_name.iter().chain(self.more_fields.iter().flatten().flatten())
    }
}

impl Topic for Profile {
    const RENAMED: &'static [(&'static str, Action)] =
        &[("PROFILE_PICTURE_UPDATED", Action::ChangeAvatar)];

    #[inline]
    fn field<'de, A: MapAccess<'de>>(
        &mut self,
        name: &str,
        field: Field<'_, A>,
    ) -> Result<(), A::Error> {
        match name {
            "field_name" => field.text(&mut self.field_name),
            "updated_fields" => field.text_list(&mut self.updated_fields),
            _ => field.skip(),
        }
    }

    fn fill(&mut self, action: &Action) {
        if *action == Action::UpdateProfile {
            self.more_fields = self.updated_fields.take();
        }
    }
}
