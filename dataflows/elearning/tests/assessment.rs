//! EL-06 to EL-10.

use super::play::rows;
use crate::elearning::assessment;

const ASSESSMENT: &[&str] = &[
    "12:00:00 SUBMIT_ASSIGNMENT user_id=a assignment_id=A1 course_id=C1 score=80 max_score=90",
    "12:00:10 SUBMIT_ASSIGNMENT user_id=b assignment_id=A1 course_id=C1 score=70.5 max_score=0",
    "12:00:20 ~SUBMIT_ASSIGNMENT user_id=a assignment_id=A2 course_id=C1 score=\"90\"",
    "12:00:30 SUBMIT_ASSIGNMENT score=65 max_score=100",
    "12:01:00 SUBMIT_ASSIGNMENT user_id=c assignment_id=A3 course_id=C2",
    // One teacher graded A1 three times and nobody A2; A4 has no submission.
    "12:02:00 GRADE_ASSIGNMENT user_id=t assignment_id=A1 course_id=C1 score=75",
    "12:02:01 ~GRADE_ASSIGNMENT user_id=t assignment_id=A1 course_id=C1",
    "12:02:02 GRADE_ASSIGNMENT user_id=t assignment_id=A1 course_id=C1",
    "12:02:03 GRADE_ASSIGNMENT user_id=t assignment_id=A4 course_id=C1",
    "12:02:04 GRADE_ASSIGNMENT user_id=t",
    // In another window than its submission.
    "12:05:00 GRADE_ASSIGNMENT user_id=t assignment_id=A3",
    "12:03:00 START_QUIZ user_id=a quiz_id=Q1 course_id=C1 total_questions=10",
    "12:03:10 ANSWER_QUESTION user_id=a quiz_id=Q1 course_id=C1",
    "12:03:11 ANSWER_QUESTION user_id=a quiz_id=Q1 course_id=C1 correct_answers=1",
    "12:03:20 ~QUIZ_COMPLETED user_id=a quiz_id=Q1 course_id=C1 correct_answers=4 \
     total_questions=11",
    "12:03:21 COMPLETE_QUIZ user_id=a quiz_id=Q1 course_id=C1 correct_answers=2 \
     total_questions=\"ten\"",
    "12:03:30 COMPLETE_QUIZ quiz_id=Q1 correct_answers=2.5",
    "12:04:00 ~VIEW_ASSIGNMENT_FIRST_TIME user_id=a course_id=C1",
    "12:04:01 ~EDIT_ASSIGNMENT user_id=a course_id=C1",
    "12:04:02 - user_id=a course_id=C1",
];

fn check(view: &str, expect: &[&str]) {
    assert_eq!(rows(assessment, view, &[("assessment", ASSESSMENT)]), expect, "{view}");
}

#[test]
fn scores_that_are_null_or_no_numbers_take_no_part() {
    // (80 + 70.5 + 65) / 3 = 71.8333…
    check(
        "assessment_realtime_submissions_1min",
        &["12:00-12:01 4 2 2 71.83 65.0 80.0", "12:01-12:02 1 1 1 - - -"],
    );
}

#[test]
fn actions_of_a_student_are_told_apart_whatever_they_are_called() {
    check(
        "assessment_realtime_active_students",
        &[
            // A submission, a completed quiz, a grade, all without user or course.
            "12:00-12:05 - - 2 2 0 1 0",
            // SUBMIT, START, ANSWER, COMPLETE, VIEW, EDIT; no action is none.
            "12:00-12:05 a C1 10 6 1 2 1",
            "12:00-12:05 b C1 1 1 0 1 0",
            "12:00-12:05 c C2 1 1 0 1 0",
            "12:00-12:05 t - 1 1 0 0 0",
            "12:00-12:05 t C1 4 1 0 0 0",
            "12:05-12:10 t - 1 1 0 0 0",
        ],
    );
}

#[test]
fn means_of_a_quiz_are_those_of_the_values_that_are_there() {
    // (1 + 4 + 2) / 3 and (10 + 11) / 2.
    check(
        "assessment_realtime_quiz_attempts",
        &["12:00-12:05 Q1 - 1 0 0 1 - -", "12:00-12:05 Q1 a 5 1 2 2 2.33 10.5"],
    );
}

#[test]
fn the_grading_queue_is_arithmetic_within_a_window() {
    check(
        "assessment_realtime_grading_queue",
        &[
            // NULL joins nothing.
            "12:00-12:05 - 1 0 0 0 1",
            "12:00-12:05 A1 2 2 3 1 -1",
            "12:00-12:05 A2 1 1 0 0 1",
            "12:00-12:05 A3 1 1 0 0 1",
        ],
    );
}

#[test]
fn submissions_per_minute_are_those_of_five_minutes() {
    let topics = [("assessment", ASSESSMENT)];
    let found = rows(assessment, "assessment_realtime_submission_rate", &topics);
    // C1: 80 of 90 alone has a share, 88.888… %; (80 + 70.5) / 2 is the mean; 3 / 5 a minute.
    for start in ["11:56-12:01", "11:57-12:02", "12:00-12:05"] {
        let of_window: Vec<&String> = found.iter().filter(|row| row.starts_with(start)).collect();
        let mut expect = vec![
            format!("{start} - 1 0 0 65.0 65.0 0.20"),
            format!("{start} C1 3 2 2 75.25 88.89 0.60"),
            format!("{start} C2 1 1 1 - - 0.20"),
        ];
        if start == "11:56-12:01" {
            expect.pop();
        }
        assert_eq!(of_window, expect.iter().collect::<Vec<_>>());
    }
    assert_eq!(found.len(), 5 * 3);
}
