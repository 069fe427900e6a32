//! Both dialects of the topics, as the campus reads them.

use highwater::codec::json::{Decoded, decode};
use highwater::codec::{At, Options, TypeErrors};
use highwater::row::Position;

use super::*;

fn read(topic: &str, dialect: Dialect, record: &str) -> Event {
    let topic = Text::from(topic);
    let at = At { topic: &topic, position: Position::default() };
    let options = Options { dialect, ..Options::default() };
    let mut decoded = Decoded::default();
    decode(Some(record.as_bytes()), at, &options, &TypeErrors::default(), &mut decoded)
        .expect("a document");
    decoded.events.remove(0)
}

#[test]
fn what_the_producer_names_passes_and_what_the_jobs_name_is_mapped_back() {
    let check = |record: &str, expect: Option<&str>| {
        let event = read("auth", Dialect::Auto, record);
        assert_eq!(event.event_type.map(|kind| kind.name()).as_deref(), expect, "{record}");
    };
    check(r#"{"event_type": "LOGIN", "action": "LOGOUT"}"#, Some("LOGIN"));
    check(r#"{"action": "LOGIN"}"#, Some("LOGIN"));
    check(r#"{"action": "REGISTER"}"#, Some("SIGNUP"));
    check(r#"{"action": "WATCH_VIDEO"}"#, Some("VIDEO_WATCHED"));
    check(r#"{"action": "START_QUIZ"}"#, Some("START_QUIZ"));
    check(r#"{"user_id": "SV001"}"#, None);
    let strict = read("auth", Dialect::Strict, r#"{"action": "LOGIN"}"#);
    assert_eq!(strict.event_type, None);
}

#[test]
fn changed_fields_are_a_list_in_one_dialect_and_a_name_in_the_other() {
    let both = r#""updated_fields": ["email", null], "field_name": "address"}"#;
    let check = |record: String, expect: &[Option<&str>]| {
        let fields = read("profile", Dialect::Auto, &record).updated_fields.unwrap_or_default();
        assert_eq!(fields.iter().map(|field| field.as_deref()).collect::<Vec<_>>(), expect);
    };
    check(format!(r#"{{"event_type": "UPDATE_PROFILE", {both}"#), &[Some("email"), None]);
    check(format!(r#"{{"action": "UPDATE_PROFILE", {both}"#), &[Some("address")]);
}

#[test]
fn an_event_knows_whether_it_is_of_the_course_topic() {
    let of = |topic| read(topic, Dialect::Strict, "{}").is_of_course_topic;
    assert!(of("course") && !of("video"));
}
