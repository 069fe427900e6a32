//! The topic `course`: enrolments, materials, downloads.

use highwater::codec::Field;
use highwater::text::Text;
use serde::de::MapAccess;

use super::{Action, Topic};

/// The fields of the topic.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Course {
    /// Which course.
    pub course_id: Option<Text>,
    /// Which material was opened; the producer calls it an item.
    pub material_id: Option<Text>,
    /// What was downloaded; the producer calls it a material.
    pub resource_id: Option<Text>,
    item_id: Option<Text>,
}

impl Topic for Course {
    const RENAMED: &'static [(&'static str, Action)] = &[
        ("ITEM_CLICK", Action::AccessMaterial),
        ("COURSE_ENROLLED", Action::EnrollCourse),
        ("DOWNLOAD_MATERIAL", Action::DownloadResource),
        // The name of the batch layer.
        ("ACCESS_COURSE_MATERIAL", Action::AccessMaterial),
    ];

    #[inline]
    fn field<'de, A: MapAccess<'de>>(
        &mut self,
        name: &str,
        field: Field<'_, A>,
    ) -> Result<(), A::Error> {
        match name {
            "course_id" => field.text(&mut self.course_id),
            "material_id" => field.text(&mut self.material_id),
            "resource_id" => field.text(&mut self.resource_id),
            "item_id" => field.text(&mut self.item_id),
            _ => field.skip(),
        }
    }

    fn fill(&mut self, action: &Action) {
        match action {
            Action::AccessMaterial if self.material_id.is_none() => {
                self.material_id = self.item_id.take();
            }
            Action::DownloadResource if self.resource_id.is_none() => {
                self.resource_id = self.material_id.clone();
            }
            _ => {}
        }
    }
}
