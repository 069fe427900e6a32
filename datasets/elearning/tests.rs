//! Documents of both dialects, and what becomes of them.

use super::*;
use highwater::codec::{Decoded, Options, TypeErrors, decode};
use highwater::row::Position;

fn read<T: Topic>(document: &str, dialect: Dialect) -> Event<T> {
    let position = Position { source: 0, partition: 2, offset: 41, element: 0 };
    let at = At { topic: "topic", position };
    let options = Options { dialect, ..Options::default() };
    let (errors, mut decoded) = (TypeErrors::default(), Decoded::default());
    let read = decode(Some(document.as_bytes()), at, &options, &errors, &mut decoded);
    assert_eq!(read, Ok(1), "{document}");
    decoded.events.remove(0)
}

fn auto<T: Topic>(document: &str) -> Event<T> {
    read(document, Dialect::Auto)
}

fn text(text: &str) -> Option<Text> {
    Some(text.into())
}

fn other(name: &str) -> Option<Action> {
    Some(Action::Other(name.into()))
}

#[test]
fn an_event_of_the_job_passes_as_it_is() {
    let event: AuthEvent = auto(
        r#"{"event_id":"e1","action":"SIGNUP","event_type":"LOGIN","user_id":"SV001",
            "timestamp":"2025-10-02 00:45:23"}"#,
    );
    assert_eq!(event.event_id, EventId::Given("e1".into()));
    assert_eq!(event.action, other("SIGNUP"));
    assert_eq!(event.user_id, text("SV001"));
    assert_eq!(event.timestamp, Some(Time::from_seconds(1_759_365_923)));
    assert_eq!(event.success, None);
}

#[test]
fn the_producers_names_are_those_of_its_topic() {
    fn check<T: Topic>(event_type: &str, expect: Option<Action>) {
        let event: Event<T> = auto(&format!("{{\"event_type\":\"{event_type}\"}}"));
        assert_eq!(event.action, expect, "{event_type}");
    }
    check::<Auth>("LOGIN", Some(Action::Login));
    check::<Auth>("LOGOUT", Some(Action::Logout));
    check::<Auth>("SIGNUP", Some(Action::Register));
    check::<Auth>("QUIZ_COMPLETED", other("QUIZ_COMPLETED"));
    let same = Some(Action::ViewAssignmentFirstTime);
    check::<Assessment>("VIEW_ASSIGNMENT_FIRST_TIME", same);
    check::<Assessment>("SUBMIT_ASSIGNMENT", Some(Action::SubmitAssignment));
    check::<Assessment>("GRADE_ASSIGNMENT", Some(Action::GradeAssignment));
    check::<Assessment>("QUIZ_COMPLETED", Some(Action::CompleteQuiz));
    check::<Assessment>("EDIT_ASSIGNMENT", other("EDIT_ASSIGNMENT"));
    check::<Assessment>("SIGNUP", other("SIGNUP"));
    check::<Video>("VIDEO_WATCHED", Some(Action::WatchVideo));
    check::<Course>("COURSE_ENROLLED", Some(Action::EnrollCourse));
    check::<Course>("DOWNLOAD_MATERIAL", Some(Action::DownloadResource));
    check::<Course>("ITEM_CLICK", Some(Action::AccessMaterial));
    check::<Course>("ACCESS_COURSE_MATERIAL", Some(Action::AccessMaterial));
    check::<Course>("COURSE_VIEW", other("COURSE_VIEW"));
    check::<Profile>("UPDATE_PROFILE", Some(Action::UpdateProfile));
    check::<Profile>("PROFILE_PICTURE_UPDATED", Some(Action::ChangeAvatar));
    check::<Profile>("PASSWORD_CHANGED", other("PASSWORD_CHANGED"));
    check::<Notification>("NOTIFICATION_SENT", Some(Action::SendNotification));
    check::<Notification>("NOTIFICATION_OPENED", Some(Action::ViewNotification));
    check::<Notification>("NOTIFICATION_CLICKED", Some(Action::ClickNotification));
    check::<Notification>("", other(""));
}

#[test]
fn an_action_that_is_null_gives_way_to_the_event_type() {
    let event: AuthEvent = auto(r#"{"action":null,"event_type":"LOGOUT"}"#);
    assert_eq!(event.action, Some(Action::Logout));
    let event: AuthEvent = auto(r#"{"user_id":7}"#);
    assert_eq!((event.action, event.user_id), (None, text("7")));
}

#[test]
fn the_producers_logins_have_succeeded_unless_they_say_otherwise() {
    let check = |document: &str, expect| {
        assert_eq!(auto::<Auth>(document).success, expect, "{document}");
    };
    check(r#"{"event_type":"LOGIN"}"#, Some(true));
    check(r#"{"event_type":"LOGIN","success":false}"#, Some(false));
    check(r#"{"event_type":"LOGIN","success":"no"}"#, Some(true));
    check(r#"{"event_type":"LOGOUT"}"#, None);
    check(r#"{"action":"LOGIN"}"#, None);
    check(r#"{"action":"LOGIN","success":1}"#, None);
}

#[test]
fn materials_and_resources_are_filled_in_the_producers_dialect_alone() {
    let check = |document: &str, material: Option<&str>, resource: Option<&str>| {
        let event = auto::<Course>(document);
        let found = (event.material_id.as_deref(), event.resource_id.as_deref());
        assert_eq!(found, (material, resource), "{document}");
    };
    check(r#"{"event_type":"ITEM_CLICK","item_id":"I"}"#, Some("I"), None);
    check(r#"{"item_id":"I","material_id":"M","event_type":"ITEM_CLICK"}"#, Some("M"), None);
    check(r#"{"event_type":"DOWNLOAD_MATERIAL","material_id":"M"}"#, Some("M"), Some("M"));
    check(r#"{"event_type":"COURSE_VIEW","item_id":"I","material_id":"M"}"#, Some("M"), None);
    check(r#"{"action":"ACCESS_MATERIAL","item_id":"I"}"#, None, None);
    check(r#"{"action":"DOWNLOAD_RESOURCE","material_id":"M"}"#, Some("M"), None);
}

#[test]
fn every_field_of_a_profile_that_was_updated_is_one() {
    let check = |document: &str, expect: &[&str]| {
        let event = auto::<Profile>(document);
        assert_eq!(event.changed().collect::<Vec<_>>(), expect, "{document}");
    };
    let fields = r#""updated_fields":["email",null,"address",5]"#;
    check(&format!(r#"{{"event_type":"UPDATE_PROFILE",{fields}}}"#), &["email", "address", "5"]);
    check(&format!(r#"{{"event_type":"PASSWORD_CHANGED",{fields}}}"#), &[]);
    check(&format!(r#"{{"action":"UPDATE_PROFILE",{fields},"field_name":"phone"}}"#), &["phone"]);
    check(r#"{"event_type":"UPDATE_PROFILE","updated_fields":"email"}"#, &[]);
}

#[test]
fn the_strict_dialect_reads_the_jobs_names_alone() {
    let event: Event<Course> =
        read(r#"{"event_type":"ITEM_CLICK","item_id":"I"}"#, Dialect::Strict);
    assert_eq!((&event.action, &event.material_id), (&None, &None));
    assert_eq!(event.event_id.text(), None);
    let event: Event<Course> = read(r#"{"action":"ACCESS_MATERIAL"}"#, Dialect::Strict);
    assert!(event.did(Action::AccessMaterial));
}

#[test]
fn events_without_a_name_are_called_after_their_place() {
    let event: VideoEvent = auto("{}");
    assert_eq!(event.event_id.text(), text("topic-2-41"));
    assert_eq!(auto::<Video>(r#"{"event_id":17}"#).event_id.text(), text("17"));
    let position = Position { element: 3, ..Position::default() };
    let of_array = EventId::of_place(At { topic: "video", position });
    assert_eq!(of_array.text(), text("video-0-0-3"));
}

#[test]
fn numbers_of_the_wrong_type_are_null() {
    let event: AssessmentEvent =
        auto(r#"{"score":"90","max_score":100,"correct_answers":4.5,"total_questions":10}"#);
    assert_eq!((event.score, event.max_score), (None, Some(100.0)));
    assert_eq!((event.correct_answers, event.total_questions), (None, Some(10)));
    let event: VideoEvent = auto(r#"{"watch_duration_seconds":3000000000,"video_id":["a"]}"#);
    assert_eq!(event.watch_duration_seconds, None);
    assert_eq!(event.video_id, text(r#"["a"]"#));
}
