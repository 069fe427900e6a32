//! Which events come, how often, and how they hang together.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::generators::tests::{check_shares, counts, generator, made, parsed, text};

fn documents(name: &str, options: &str, count: u64) -> Vec<Value> {
    made(name, options, count).iter().map(parsed).collect()
}

fn kinds(documents: &[Value], field: &str) -> BTreeMap<String, u32> {
    counts(documents.iter().map(|document| text(document, field).to_owned()))
}

#[test]
fn topics_come_by_their_weights() {
    let found = counts(made("elearning", "", 1_000).iter().map(|made| made.topic.to_string()));
    let expect = [("0", 150), ("1", 250), ("2", 350), ("3", 180), ("4", 30), ("5", 40)];
    assert!(found.iter().map(|(topic, count)| (topic.as_str(), *count)).eq(expect), "{found:?}");
}

#[test]
fn the_producers_event_types_are_uniform_within_a_topic() {
    let check = |name: &str, types: &str| {
        let found = kinds(&documents(name, "profile = \"upstream\"", 12_000), "event_type");
        let weights: Vec<(&str, f64)> = types.split(' ').map(|name| (name, 1.0)).collect();
        check_shares(&found, &weights);
    };
    check("elearning.auth", "LOGIN LOGOUT SIGNUP");
    check(
        "elearning.assessment",
        "VIEW_ASSIGNMENT_FIRST_TIME SUBMIT_ASSIGNMENT EDIT_ASSIGNMENT DELETE_ASSIGNMENT \
         QUIZ_COMPLETED VIEW_STUDENT_WORK GRADE_ASSIGNMENT ASSIGNMENT_REOPENED",
    );
    check("elearning.video", "VIDEO_WATCHED");
    check(
        "elearning.course",
        "COURSE_CREATED COURSE_DELETED COURSE_VIEW COURSE_ENROLLED COURSE_DROPPED ITEM_CLICK \
         DOWNLOAD_MATERIAL",
    );
    check(
        "elearning.profile",
        "CREATE_PROFILE UPDATE_PROFILE PROFILE_PICTURE_UPDATED PASSWORD_CHANGED",
    );
    check("elearning.notification", "NOTIFICATION_SENT NOTIFICATION_OPENED NOTIFICATION_CLICKED");
}

#[test]
fn the_full_profile_has_every_action_of_the_job_in_its_share() {
    let check = |name: &str, weights: &[(&str, f64)]| {
        check_shares(&kinds(&documents(name, "seed = 2", 20_000), "action"), weights);
    };
    check("elearning.auth", &[("LOGIN", 0.7), ("LOGOUT", 0.7 * 0.88), ("REGISTER", 0.3)]);
    check(
        "elearning.assessment",
        &[
            ("VIEW_ASSIGNMENT_FIRST_TIME", 5.0),
            ("SUBMIT_ASSIGNMENT", 5.0),
            ("EDIT_ASSIGNMENT", 1.5),
            ("VIEW_STUDENT_WORK", 3.0),
            ("GRADE_ASSIGNMENT", 3.0),
            ("START_QUIZ", 3.0),
            ("ANSWER_QUESTION", 3.0 * 6.5),
            ("COMPLETE_QUIZ", 3.0),
            ("DELETE_ASSIGNMENT", 1.0),
            ("ASSIGNMENT_REOPENED", 1.0),
        ],
    );
    check(
        "elearning.video",
        &[
            ("START_VIDEO", 1.0),
            ("PAUSE_VIDEO", 1.5),
            ("WATCH_VIDEO", 1.0),
            ("COMPLETE_VIDEO", 0.6),
        ],
    );
    check(
        "elearning.notification",
        &[("SEND_NOTIFICATION", 1.0), ("VIEW_NOTIFICATION", 0.6), ("CLICK_NOTIFICATION", 0.24)],
    );
}

#[test]
fn some_logins_fail_and_only_the_full_profile_says_so() {
    let all = documents("elearning.auth", "", 20_000);
    let of = |success: bool| all.iter().filter(|d| d["success"] == success).count() as f64;
    let share = of(false) / (of(false) + of(true));
    assert!((0.105..0.135).contains(&share), "{share}");
    let upstream = documents("elearning.auth", "profile = \"upstream\"", 500);
    assert!(upstream.iter().all(|document| document.get("success").is_none()));
}

/// Documents by what they have in common, in their order.
fn by<'d>(documents: &'d [Value], fields: &[&str]) -> BTreeMap<Vec<&'d str>, Vec<&'d Value>> {
    let mut found: BTreeMap<Vec<&str>, Vec<&Value>> = BTreeMap::new();
    for document in documents {
        let key = fields.iter().map(|field| text(document, field)).collect();
        found.entry(key).or_default().push(document);
    }
    found
}

#[test]
fn a_logout_ends_the_session_of_a_login() {
    let all = documents("elearning.auth", "dialect = \"producer\"\npartitions = 1", 2_560);
    let mut ended = 0;
    for (session, events) in by(&all, &["session_id", "user_id"]) {
        let types: Vec<&str> = events.iter().map(|event| text(event, "event_type")).collect();
        match &types[..] {
            _ if session[0].is_empty() => assert!(types.iter().all(|name| *name == "SIGNUP")),
            ["LOGIN", "LOGOUT"] => ended += 1,
            other => assert_eq!(other, ["LOGIN"], "{events:?}"),
        }
    }
    assert!(600 < ended, "{ended}");
}

#[test]
fn a_quiz_is_started_answered_and_completed() {
    let all = documents("elearning.assessment", "keys = 6000\npartitions = 1", 2_560);
    let (mut whole, mut others) = (0, 0);
    for (quiz, events) in by(&all, &["quiz_id", "user_id", "course_id"]) {
        let actions: Vec<&str> = events.iter().map(|event| text(event, "action")).collect();
        if quiz[0].is_empty() || actions.first() != Some(&"START_QUIZ") {
            others += usize::from(!quiz[0].is_empty());
            continue;
        }
        let answers = actions.iter().filter(|action| **action == "ANSWER_QUESTION").count();
        let Some(last) = events.last().filter(|e| text(e, "action") == "COMPLETE_QUIZ") else {
            others += 1;
            continue;
        };
        assert_eq!(answers, actions.len() - 2);
        assert!((3..=10).contains(&answers));
        assert_eq!(last["total_questions"], answers);
        assert!(last["correct_answers"].as_u64() <= Some(answers as u64));
        whole += 1;
    }
    assert!(150 < whole && others < 10, "{whole} quizzes, {others} without an end");
}

#[test]
fn a_notification_is_opened_and_clicked_after_it_was_sent_to_the_same_user() {
    let all = documents("elearning.notification", "keys = 600\npartitions = 1", 2_560);
    let mut clicked = 0;
    for events in by(&all, &["notification_id", "user_id", "notification_type"]).values() {
        let actions: Vec<&str> = events.iter().map(|event| text(event, "action")).collect();
        let whole = ["SEND_NOTIFICATION", "VIEW_NOTIFICATION", "CLICK_NOTIFICATION"];
        assert_eq!(actions, whole[..actions.len()]);
        clicked += usize::from(actions.len() == 3);
    }
    assert!((250..420).contains(&clicked), "{clicked}");
}

#[test]
fn grades_go_to_submitted_assignments_by_teachers() {
    let all = documents("elearning.assessment", "keys = 6000\ndialect = \"producer\"", 5_000);
    let works = by(&all, &["assignment_id", "course_id"]);
    let submitted = |key: &[&str]| {
        works
            .get(key)
            .is_some_and(|w| w.iter().any(|e| text(e, "event_type") == "SUBMIT_ASSIGNMENT"))
    };
    for event in all.iter().filter(|e| text(e, "event_type") == "GRADE_ASSIGNMENT") {
        assert!(submitted(&[text(event, "assignment_id"), text(event, "course_id")]));
        assert!(text(event, "user_id").starts_with("GV") && text(event, "role") == "teacher");
        assert!(text(event, "student_id").starts_with("SV"));
    }
}

#[test]
fn a_document_has_the_fields_of_its_event_and_dialect() {
    let check = |name: &str, options: &str, kind: &str, expect: &str| {
        let field = if options.contains("job") { "action" } else { "event_type" };
        let all = documents(name, options, 2_000);
        let found = all.iter().find(|document| text(document, field) == kind).expect(kind);
        let fields: Vec<&str> = found.as_object().unwrap().keys().map(String::as_str).collect();
        let common = match options.contains("job") {
            true => "event_id event_category action user_id timestamp",
            false => "event_category event_type user_id role timestamp",
        };
        let mut expect: Vec<&str> = common.split(' ').chain(expect.split_whitespace()).collect();
        expect.sort();
        assert_eq!(fields, expect, "{kind}");
    };
    let (upstream, job) = ("profile = \"upstream\"", "dialect = \"job\"");
    check("elearning.auth", upstream, "SIGNUP", "email registration_source");
    check("elearning.auth", job, "LOGIN", "success");
    check(
        "elearning.assessment",
        upstream,
        "ASSIGNMENT_REOPENED",
        "student_id assignment_id new_due_date",
    );
    check("elearning.assessment", upstream, "QUIZ_COMPLETED", "quiz_id course_id correct_answers");
    check("elearning.assessment", job, "GRADE_ASSIGNMENT", "assignment_id course_id score");
    check("elearning.assessment", job, "ANSWER_QUESTION", "quiz_id course_id question_id");
    let video = "video_id course_id watch_duration_seconds";
    check("elearning.video", upstream, "VIDEO_WATCHED", &format!("{video} session_id"));
    check("elearning.video", job, "WATCH_VIDEO", video);
    check("elearning.course", upstream, "ITEM_CLICK", "course_id item_id item_type");
    check("elearning.course", job, "ACCESS_MATERIAL", "course_id material_id");
    check("elearning.course", job, "DOWNLOAD_RESOURCE", "course_id resource_id");
    let profile = "email full_name date_of_birth gender phone_number major enrollment_year";
    check("elearning.profile", upstream, "CREATE_PROFILE", profile);
    check("elearning.profile", upstream, "PASSWORD_CHANGED", "");
    check("elearning.profile", job, "UPDATE_PROFILE", "field_name");
}

#[test]
fn times_are_written_in_the_zone_that_was_asked_for() {
    let check = |zone: &str, expect: &str| {
        let options = format!("zone = {zone:?}");
        let all = documents("elearning", &options, 1);
        assert_eq!(text(&all[0], "timestamp"), expect);
    };
    check("UTC", "2025-10-09 08:53:20");
    check("Asia/Ho_Chi_Minh", "2025-10-09 15:53:20");
    check("-03:30", "2025-10-09 05:23:20");
    let error = generator("elearning", "zone = \"Mars\"").err().unwrap().to_string();
    assert!(error.contains("`zone` is `Mars`"), "{error}");
}
