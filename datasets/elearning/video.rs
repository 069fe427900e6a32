//! The topic `video`: who watches what.

use highwater::codec::Field;
use highwater::text::Text;
use serde::de::MapAccess;

use super::{Action, Topic};

/// The fields of the topic.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Video {
    /// Of which course.
    pub course_id: Option<Text>,
    /// Which video.
    pub video_id: Option<Text>,
    /// How long it was watched.
    pub watch_duration_seconds: Option<i32>,
}

impl Topic for Video {
    const RENAMED: &'static [(&'static str, Action)] = &[("VIDEO_WATCHED", Action::WatchVideo)];

    #[inline]
    fn field<'de, A: MapAccess<'de>>(
        &mut self,
        name: &str,
        field: Field<'_, A>,
    ) -> Result<(), A::Error> {
        match name {
            "course_id" => field.text(&mut self.course_id),
            "video_id" => field.text(&mut self.video_id),
            "watch_duration_seconds" => field.i32(&mut self.watch_duration_seconds),
            _ => field.skip(),
        }
    }
}
