//! The topic `notification`: what was sent, opened, clicked.

use highwater::codec::Field;
use highwater::text::Text;
use serde::de::MapAccess;

use super::{Action, Topic};

/// The fields of the topic.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Notification {
    /// Which notification.
    pub notification_id: Option<Text>,
    /// What it is about.
    pub notification_type: Option<Text>,
}

impl Topic for Notification {
    const RENAMED: &'static [(&'static str, Action)] = &[
        ("NOTIFICATION_SENT", Action::SendNotification),
        ("NOTIFICATION_OPENED", Action::ViewNotification),
        ("NOTIFICATION_CLICKED", Action::ClickNotification),
    ];

    #[inline]
    fn field<'de, A: MapAccess<'de>>(
        &mut self,
        name: &str,
        field: Field<'_, A>,
    ) -> Result<(), A::Error> {
        match name {
            "notification_id" => field.text(&mut self.notification_id),
            "notification_type" => field.text(&mut self.notification_type),
            _ => field.skip(),
        }
    }
}
