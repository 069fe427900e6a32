//! What happens on the platform, under the names of both dialects, and the stories it makes up.

use super::super::Profile;
use crate::random::Random;

/// Indexes of the topics.
pub(super) const AUTH: usize = 0;
pub(super) const ASSESSMENT: usize = 1;
pub(super) const VIDEO: usize = 2;
pub(super) const COURSE: usize = 3;
pub(super) const PROFILE: usize = 4;

/// What a record tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Event {
    Login,
    FailedLogin,
    Logout,
    Signup,
    ViewAssignment,
    SubmitAssignment,
    EditAssignment,
    DeleteAssignment,
    StartQuiz,
    /// To which question, from 1 on.
    AnswerQuestion(u8),
    /// How many questions there were; 0 if nobody knows.
    CompleteQuiz(u8),
    ViewWork,
    GradeAssignment,
    ReopenAssignment,
    StartVideo,
    PauseVideo,
    WatchVideo,
    CompleteVideo,
    CreateCourse,
    DeleteCourse,
    ViewCourse,
    Enroll,
    Drop,
    ClickItem,
    Download,
    CreateProfile,
    UpdateProfile,
    ChangePicture,
    ChangePassword,
    Sent,
    Opened,
    Clicked,
}

use Event::*;

impl Event {
    /// Its name, as the producer's `event_type` or as the job's `action`.
    pub(super) fn name(self, for_job: bool) -> &'static str {
        let (producer, job) = match self {
            Login | FailedLogin => ("LOGIN", "LOGIN"),
            Logout => ("LOGOUT", "LOGOUT"),
            Signup => ("SIGNUP", "REGISTER"),
            ViewAssignment => same("VIEW_ASSIGNMENT_FIRST_TIME"),
            SubmitAssignment => same("SUBMIT_ASSIGNMENT"),
            EditAssignment => same("EDIT_ASSIGNMENT"),
            DeleteAssignment => same("DELETE_ASSIGNMENT"),
            StartQuiz => same("START_QUIZ"),
            AnswerQuestion(_) => same("ANSWER_QUESTION"),
            CompleteQuiz(_) => ("QUIZ_COMPLETED", "COMPLETE_QUIZ"),
            ViewWork => same("VIEW_STUDENT_WORK"),
            GradeAssignment => same("GRADE_ASSIGNMENT"),
            ReopenAssignment => same("ASSIGNMENT_REOPENED"),
            StartVideo => same("START_VIDEO"),
            PauseVideo => same("PAUSE_VIDEO"),
            WatchVideo => ("VIDEO_WATCHED", "WATCH_VIDEO"),
            CompleteVideo => same("COMPLETE_VIDEO"),
            CreateCourse => same("COURSE_CREATED"),
            DeleteCourse => same("COURSE_DELETED"),
            ViewCourse => same("COURSE_VIEW"),
            Enroll => ("COURSE_ENROLLED", "ENROLL_COURSE"),
            Drop => same("COURSE_DROPPED"),
            ClickItem => ("ITEM_CLICK", "ACCESS_MATERIAL"),
            Download => ("DOWNLOAD_MATERIAL", "DOWNLOAD_RESOURCE"),
            CreateProfile => same("CREATE_PROFILE"),
            UpdateProfile => same("UPDATE_PROFILE"),
            ChangePicture => ("PROFILE_PICTURE_UPDATED", "CHANGE_AVATAR"),
            ChangePassword => same("PASSWORD_CHANGED"),
            Sent => ("NOTIFICATION_SENT", "SEND_NOTIFICATION"),
            Opened => ("NOTIFICATION_OPENED", "VIEW_NOTIFICATION"),
            Clicked => ("NOTIFICATION_CLICKED", "CLICK_NOTIFICATION"),
        };
        if for_job { job } else { producer }
    }

    /// What it is about, as the field `event_category` says.
    pub(super) fn category(self) -> &'static str {
        match self {
            Login | FailedLogin | Logout | Signup => "AUTH",
            StartVideo | PauseVideo | WatchVideo | CompleteVideo => "VIDEO",
            CreateCourse | DeleteCourse | ViewCourse | Enroll | Drop | ClickItem | Download => {
                "COURSE"
            }
            CreateProfile | UpdateProfile | ChangePicture | ChangePassword => "PROFILE",
            Sent | Opened | Clicked => "NOTIFICATION",
            _ => "ASSESSMENT",
        }
    }

    /// Whose deed it is.
    pub(super) fn actor(self) -> Actor {
        match self {
            ViewWork | GradeAssignment | ReopenAssignment | CreateCourse | DeleteCourse => {
                Actor::Teacher
            }
            _ if matches!(self.category(), "AUTH" | "PROFILE") => Actor::Anyone,
            _ => Actor::Student,
        }
    }
}

/// Who does something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Actor {
    Student,
    Teacher,
    /// A student or a teacher, one to one.
    Anyone,
}

const fn same(name: &'static str) -> (&'static str, &'static str) {
    (name, name)
}

/// Appends the events of a story of a topic.
pub(super) fn tell(topic: usize, profile: Profile, random: &mut Random, events: &mut Vec<Event>) {
    match (profile, topic) {
        (_, COURSE) => events.push(*random.pick(&[
            CreateCourse,
            DeleteCourse,
            ViewCourse,
            Enroll,
            Drop,
            ClickItem,
            Download,
        ])),
        (_, PROFILE) => {
            events.push(*random.pick(&[
                CreateProfile,
                UpdateProfile,
                ChangePicture,
                ChangePassword,
            ]));
        }
        (Profile::Upstream, _) => upstream(topic, random, events),
        (Profile::Full, AUTH) => full_auth(random, events),
        (Profile::Full, ASSESSMENT) => full_assessment(random, events),
        (Profile::Full, VIDEO) => full_video(random, events),
        (Profile::Full, _) => {
            events.push(Sent);
            if random.chance(0.6) {
                events.push(Opened);
                if random.chance(0.4) {
                    events.push(Clicked);
                }
            }
        }
    }
}

/// What the producer tells: single events, but for a logout, which may end an open session.
fn upstream(topic: usize, random: &mut Random, events: &mut Vec<Event>) {
    match topic {
        AUTH if random.chance(0.5) => events.extend([Login, Logout]),
        AUTH => events.push(Signup),
        ASSESSMENT => events.push(*random.pick(&[
            ViewAssignment,
            SubmitAssignment,
            EditAssignment,
            DeleteAssignment,
            CompleteQuiz(0),
            ViewWork,
            GradeAssignment,
            ReopenAssignment,
        ])),
        VIDEO => events.push(WatchVideo),
        _ => events.push(*random.pick(&[Sent, Opened, Clicked])),
    }
}

fn full_auth(random: &mut Random, events: &mut Vec<Event>) {
    match random.share() {
        share if share < 0.3 => events.push(Signup),
        _ if random.chance(FAILED) => events.push(FailedLogin),
        _ => events.extend([Login, Logout]),
    }
}

/// Share of logins that fail.
pub(super) const FAILED: f64 = 0.12;

fn full_assessment(random: &mut Random, events: &mut Vec<Event>) {
    match random.below(10) {
        0..5 => {
            events.extend([ViewAssignment, SubmitAssignment]);
            if random.chance(0.3) {
                events.push(EditAssignment);
            }
            if random.chance(0.6) {
                events.extend([ViewWork, GradeAssignment]);
            }
        }
        5..8 => {
            let questions = random.between(3, 10) as u8;
            events.push(StartQuiz);
            events.extend((1..=questions).map(AnswerQuestion));
            events.push(CompleteQuiz(questions));
        }
        8 => events.push(DeleteAssignment),
        _ => events.push(ReopenAssignment),
    }
}

fn full_video(random: &mut Random, events: &mut Vec<Event>) {
    events.push(StartVideo);
    let pauses = random.below(4) as usize;
    events.extend(std::iter::repeat_n(PauseVideo, pauses));
    events.push(WatchVideo);
    if random.chance(0.6) {
        events.push(CompleteVideo);
    }
}
