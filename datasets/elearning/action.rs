//! [`Action`]: what a user did, as one of the names that the jobs know.

use highwater::key::Key;
use highwater::text::Text;
use serde::{Deserialize, Serialize};

/// What a user did. A name that a view counts is a variant, so that comparing costs a byte and
/// none is too long to be held inline; every other text is kept, so that different actions can be
/// counted exactly.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[allow(missing_docs)]
pub enum Action {
    Login,
    Logout,
    Register,
    ViewAssignmentFirstTime,
    SubmitAssignment,
    GradeAssignment,
    StartQuiz,
    AnswerQuestion,
    CompleteQuiz,
    StartVideo,
    PauseVideo,
    WatchVideo,
    CompleteVideo,
    EnrollCourse,
    AccessMaterial,
    DownloadResource,
    UpdateProfile,
    ChangeAvatar,
    SendNotification,
    ViewNotification,
    ClickNotification,
    /// Another one.
    Other(Text),
}

impl Action {
    /// The action that a producer means, by its table of other names.
    pub(super) fn renamed(self, table: &[(&str, Action)]) -> Action {
        let Action::Other(name) = &self else { return self };
        let found = table.iter().find(|(producers, _)| producers == name);
        found.map_or(self, |(_, action)| action.clone())
    }
}

impl From<&str> for Action {
    fn from(name: &str) -> Action {
        match name {
            "LOGIN" => Action::Login,
            "LOGOUT" => Action::Logout,
            "REGISTER" => Action::Register,
            "VIEW_ASSIGNMENT_FIRST_TIME" => Action::ViewAssignmentFirstTime,
            "SUBMIT_ASSIGNMENT" => Action::SubmitAssignment,
            "GRADE_ASSIGNMENT" => Action::GradeAssignment,
            "START_QUIZ" => Action::StartQuiz,
            "ANSWER_QUESTION" => Action::AnswerQuestion,
            "COMPLETE_QUIZ" => Action::CompleteQuiz,
            "START_VIDEO" => Action::StartVideo,
            "PAUSE_VIDEO" => Action::PauseVideo,
            "WATCH_VIDEO" => Action::WatchVideo,
            "COMPLETE_VIDEO" => Action::CompleteVideo,
            "ENROLL_COURSE" => Action::EnrollCourse,
            "ACCESS_MATERIAL" => Action::AccessMaterial,
            "DOWNLOAD_RESOURCE" => Action::DownloadResource,
            "UPDATE_PROFILE" => Action::UpdateProfile,
            "CHANGE_AVATAR" => Action::ChangeAvatar,
            "SEND_NOTIFICATION" => Action::SendNotification,
            "VIEW_NOTIFICATION" => Action::ViewNotification,
            "CLICK_NOTIFICATION" => Action::ClickNotification,
            other => Action::Other(other.into()),
        }
    }
}

impl Key for Action {
    fn heap_bytes(&self) -> usize {
        match self {
            Action::Other(name) => name.heap_bytes(),
            _ => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_action_is_no_larger_than_its_text() {
        assert_eq!(size_of::<Option<Action>>(), size_of::<Text>());
    }

    #[test]
    fn names_are_known_as_they_are_written_and_others_are_kept() {
        let check = |name: &str, expect| assert_eq!(Action::from(name), expect);
        check("LOGIN", Action::Login);
        check("CLICK_NOTIFICATION", Action::ClickNotification);
        check("login", Action::Other("login".into()));
        check("", Action::Other("".into()));
        check("SIGNUP", Action::Other("SIGNUP".into()));
    }

    #[test]
    fn a_table_renames_what_it_names_and_nothing_else() {
        let table = &[("SIGNUP", Action::Register)];
        let check = |name: &str, expect| assert_eq!(Action::from(name).renamed(table), expect);
        check("SIGNUP", Action::Register);
        check("LOGIN", Action::Login);
        check("SIGNUPS", Action::Other("SIGNUPS".into()));
    }
}
