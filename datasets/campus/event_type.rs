//! [`EventType`]: what a user did, as one of the names that the producer uses.

use highwater::key::Key;
use highwater::text::Text;
use serde::{Deserialize, Serialize};

/// What a user did. A name that a view counts is a variant; every other text is kept, so that
/// different types can be counted exactly.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[allow(missing_docs)]
pub enum EventType {
    Login,
    Logout,
    SubmitAssignment,
    GradeAssignment,
    QuizCompleted,
    VideoWatched,
    CourseView,
    CourseEnrolled,
    CourseDropped,
    ItemClick,
    DownloadMaterial,
    CreateProfile,
    UpdateProfile,
    ProfilePictureUpdated,
    PasswordChanged,
    NotificationSent,
    NotificationOpened,
    NotificationClicked,
    /// Another one.
    Other(Text),
}

/// The variants that are counted, by their names.
const NAMES: [(&str, EventType); 18] = [
    ("LOGIN", EventType::Login),
    ("LOGOUT", EventType::Logout),
    ("SUBMIT_ASSIGNMENT", EventType::SubmitAssignment),
    ("GRADE_ASSIGNMENT", EventType::GradeAssignment),
    ("QUIZ_COMPLETED", EventType::QuizCompleted),
    ("VIDEO_WATCHED", EventType::VideoWatched),
    ("COURSE_VIEW", EventType::CourseView),
    ("COURSE_ENROLLED", EventType::CourseEnrolled),
    ("COURSE_DROPPED", EventType::CourseDropped),
    ("ITEM_CLICK", EventType::ItemClick),
    ("DOWNLOAD_MATERIAL", EventType::DownloadMaterial),
    ("CREATE_PROFILE", EventType::CreateProfile),
    ("UPDATE_PROFILE", EventType::UpdateProfile),
    ("PROFILE_PICTURE_UPDATED", EventType::ProfilePictureUpdated),
    ("PASSWORD_CHANGED", EventType::PasswordChanged),
    ("NOTIFICATION_SENT", EventType::NotificationSent),
    ("NOTIFICATION_OPENED", EventType::NotificationOpened),
    ("NOTIFICATION_CLICKED", EventType::NotificationClicked),
];

impl EventType {
    /// What the producer calls an action of the jobs of e-learning.
    pub(super) fn of_producer(action: EventType) -> EventType {
        let EventType::Other(name) = &action else { return action };
        match name.as_str() {
            "REGISTER" => EventType::Other("SIGNUP".into()),
            "COMPLETE_QUIZ" => EventType::QuizCompleted,
            "WATCH_VIDEO" => EventType::VideoWatched,
            "ENROLL_COURSE" => EventType::CourseEnrolled,
            "DOWNLOAD_RESOURCE" => EventType::DownloadMaterial,
            "ACCESS_MATERIAL" | "ACCESS_COURSE_MATERIAL" => EventType::ItemClick,
            "CHANGE_AVATAR" => EventType::ProfilePictureUpdated,
            "SEND_NOTIFICATION" => EventType::NotificationSent,
            "VIEW_NOTIFICATION" => EventType::NotificationOpened,
            "CLICK_NOTIFICATION" => EventType::NotificationClicked,
            _ => action,
        }
    }

    /// Its name.
    pub fn name(&self) -> Text {
        match self {
            EventType::Other(name) => name.clone(),
            known => {
                let found = NAMES.iter().find(|(_, variant)| variant == known);
                found.map_or("", |(name, _)| name).into()
            }
        }
    }
}

impl From<&str> for EventType {
    fn from(name: &str) -> EventType {
        let found = NAMES.iter().find(|(known, _)| *known == name);
        found.map_or_else(|| EventType::Other(name.into()), |(_, variant)| variant.clone())
    }
}

impl Key for EventType {
    fn heap_bytes(&self) -> usize {
        match self {
            EventType::Other(name) => name.heap_bytes(),
            _ => 0,
        }
    }
}
