//! The job `assessment`: submissions, quizzes, and what is graded.
//!
//! `assessment_realtime_grading_queue` is arithmetic within a window, not a queue: an assignment
//! that is graded in a later window than it was submitted in waits there for ever.

mod backlog;
mod students;
mod submissions;

use highwater::prelude::*;
use highwater_datasets::elearning::{Action, Assessment, AssessmentEvent};

use super::{Grid, Job, View, names};
use backlog::{GradingBacklog, Submission};
use students::{ActiveStudents, Activity, Attempts, QuizAttempts};
use submissions::{
    GradingQueue, People, SubmissionRate, Submissions, SubmissionsOfCourse, TotalSubmissions,
};

const VIEWS: [View<Assessment>; 5] = [
    ("assessment_realtime_submissions_1min", submissions_1min),
    ("assessment_realtime_active_students", active_students),
    ("assessment_realtime_quiz_attempts", quiz_attempts),
    ("assessment_realtime_grading_queue", grading_queue),
    ("assessment_realtime_submission_rate", submission_rate),
];

/// A further view, which is there if `realtime_views.assessment` lists it.
const BACKLOG: &str = "assessment_realtime_grading_backlog";

/// Reads the parameters and builds the dataflow.
pub fn assessment(flow: &Flow, parameters: &mut Parameters) -> Result<()> {
    let job = Job::read((flow, "assessment"), &names(&VIEWS), &[BACKLOG], parameters)?;
    job.read_topic(flow, "assessment", &VIEWS);
    if job.views.contains(&BACKLOG) {
        let time = |event: &AssessmentEvent| event.timestamp;
        grading_backlog(&flow.source("assessment", job.lateness, time), job.state_timeout);
    }
    Ok(())
}

fn submitted(event: &AssessmentEvent) -> bool {
    event.did(Action::SubmitAssignment)
}

fn graded(event: &AssessmentEvent) -> bool {
    event.did(Action::GradeAssignment)
}

fn is_of_quiz(event: &AssessmentEvent) -> bool {
    let actions = [Action::StartQuiz, Action::AnswerQuestion, Action::CompleteQuiz];
    actions.into_iter().any(|action| event.did(action))
}

/// Submissions and their scores, minute by minute.
fn submissions_1min(assessment: &Stream<AssessmentEvent>, grid: &Grid, view: &str) {
    assessment
        .filter(submitted)
        .window(grid.micro)
        .accumulate(Submissions::of)
        .alert(grid.alerts.submission_spike, view, &[], |all| all.total_submissions.get() as f64)
        .rows(|(), window, submissions| TotalSubmissions { window, submissions })
        .sink(view);
}

/// What each student does in each course.
fn active_students(assessment: &Stream<AssessmentEvent>, grid: &Grid, view: &str) {
    assessment
        .key_by(|event| (event.user_id.clone(), event.course_id.clone()))
        .window(grid.short)
        .accumulate(Activity::of)
        .rows(|(user_id, course_id), window, activity| ActiveStudents {
            window,
            user_id,
            course_id,
            activity,
        })
        .sink(view);
}

/// How each student does in each quiz.
fn quiz_attempts(assessment: &Stream<AssessmentEvent>, grid: &Grid, view: &str) {
    assessment
        .filter(is_of_quiz)
        .key_by(|event| (event.quiz_id.clone(), event.user_id.clone()))
        .window(grid.short)
        .accumulate(Attempts::of)
        .rows(|(quiz_id, user_id), window, attempts| QuizAttempts {
            window,
            quiz_id,
            user_id,
            attempts,
        })
        .sink(view);
}

/// How many submissions of each assignment have a grade, window by window.
fn grading_queue(assessment: &Stream<AssessmentEvent>, grid: &Grid, view: &str) {
    let people = |wanted: fn(&AssessmentEvent) -> bool| {
        assessment
            .filter(wanted)
            .key_by(|event| event.assignment_id.clone())
            .window(grid.short)
            .accumulate(People::of)
    };
    let (submissions, grades) = (people(submitted), people(graded));
    submissions
        .left_join(grades, GradingQueue::new)
        .alert(grid.alerts.grading_queue, view, &["assignment_id"], |queue| {
            queue.pending_grading as f64
        })
        .sink(view);
}

/// Submissions of each course, per minute.
fn submission_rate(assessment: &Stream<AssessmentEvent>, grid: &Grid, view: &str) {
    assessment
        .filter(submitted)
        .key_by(|event| event.course_id.clone())
        .window(grid.sliding)
        .accumulate(SubmissionsOfCourse::of)
        .rows(SubmissionRate::new)
        .sink(view);
}

/// How many submissions of each assignment wait for a grade: a running queue, not a window.
fn grading_backlog(assessment: &Stream<AssessmentEvent>, limit: Duration) {
    let submissions = assessment
        .filter(submitted)
        .map(Submission::of)
        .key_by(|submission| (submission.assignment_id.clone(), submission.student_id.clone()));
    let grades = assessment
        .filter(graded)
        .map(|event| (event.assignment_id.clone(), event.student_id.clone()))
        .key_by(Clone::clone);

    let queue = submissions.pending(&grades, limit);
    queue
        .waiting
        .arrange_by(|submission| submission.assignment_id.clone())
        .count(|assignment_id, backlog| GradingBacklog { assignment_id, backlog })
        .sink(BACKLOG);
}
