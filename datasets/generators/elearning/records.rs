//! Writes events, in the producer's dialect or the job's.
//!
//! What the events of a story share, such as user, course and session, is drawn first and in one
//! order from the story's random sequence; the rest from the record's own.

use highwater::dataset::{Fault, Made};
use highwater::time::Time;

use super::super::Profile;
use super::events::{Actor, Event};
use crate::json::{Document, boolean, digits, list, naive, named, padded, quoted, uuid};
use crate::random::{Random, shared};

const SOURCES: [&str; 3] = ["web", "mobile", "admin"];
const ASSIGNMENT_TYPES: [&str; 4] = ["homework", "project", "essay", "lab"];
/// Durations of watching in seconds, with their share in percent.
const WATCHED: [(u64, u64); 7] =
    [(30, 10), (60, 15), (120, 20), (300, 25), (600, 15), (1_200, 10), (1_800, 5)];
const SEMESTERS: [&str; 3] = ["Spring 2025", "Summer 2025", "Fall 2025"];
const COURSE_NAMES: [&str; 5] =
    ["Data structures", "Linear algebra", "Operating systems", "Statistics", "Networks"];
const SIZES: [u64; 4] = [30, 50, 100, 150];
const ITEM_TYPES: [&str; 5] = ["lesson", "module", "quiz", "assignment", "discussion"];
const GENDERS: [&str; 3] = ["male", "female", "other"];
const MAJORS: [&str; 4] = ["Computer science", "Mathematics", "Physics", "Economics"];
const FIRST_NAMES: [&str; 6] = ["An", "Binh", "Chi", "Dung", "Giang", "Lan"];
const LAST_NAMES: [&str; 5] = ["Nguyen", "Tran", "Le", "Pham", "Hoang"];
const PROFILE_FIELDS: [&str; 4] = ["phone_number", "email", "address", "emergency_contact"];
const NOTIFICATION_TYPES: [&str; 5] = [
    "assignment_reminder",
    "grade_posted",
    "course_announcement",
    "deadline_approaching",
    "new_message",
];
const CHANNELS: [&str; 4] = ["email", "push", "sms", "in_app"];
/// Share of submissions that come with a score.
const SCORED: f64 = 0.3;

/// Writes records.
pub(super) struct Writer {
    pub(super) for_job: bool,
    pub(super) profile: Profile,
    /// Seconds that the clocks are ahead of UTC.
    pub(super) offset: i64,
    pub(super) students: u64,
    /// May be 0; then students do what teachers do.
    pub(super) teachers: u64,
}

/// What is settled of a record before it is written.
pub(super) struct Draft {
    pub(super) event: Event,
    pub(super) partition: (u64, u64),
    pub(super) time: Time,
    pub(super) fault: Option<Fault>,
    pub(super) shape: u64,
}

/// What the events of a story are about.
struct Story {
    student: User,
    teacher: User,
    /// Student or teacher, for events of both.
    anyone: User,
    course: u64,
    /// A number of which that of assignment, quiz, video, … is made.
    object: u64,
    session: (u64, u64),
    kind: u64,
}

#[derive(Clone, Copy)]
struct User {
    is_teacher: bool,
    number: u64,
}

impl User {
    fn prefix(self) -> &'static str {
        if self.is_teacher { "GV" } else { "SV" }
    }

    fn id(self, out: &mut Vec<u8>) {
        named(out, self.prefix(), self.number, 3);
    }

    fn email(self, out: &mut Vec<u8>) {
        out.extend_from_slice(if self.is_teacher { b"\"gv" } else { b"\"sv" });
        padded(out, self.number, 3);
        out.extend_from_slice(b"@university.edu\"");
    }
}

impl Story {
    fn draw(writer: &Writer, partition: (u64, u64), random: &mut Random) -> Story {
        let user = |is_teacher, of, random: &mut Random| User {
            is_teacher,
            number: 1 + shared(of, partition, random),
        };
        let student = user(false, writer.students, random);
        let teacher = match writer.teachers {
            0 => student,
            teachers => user(true, teachers, random),
        };
        Story {
            student,
            teacher,
            anyone: if random.chance(0.5) { teacher } else { student },
            course: random.between(1, 20),
            object: random.bits(),
            session: (random.bits(), random.bits()),
            kind: random.bits(),
        }
    }

    /// The number of an object of which there are so many.
    fn object(&self, of: u64) -> u64 {
        1 + self.object % of
    }

    fn assignment(&self, out: &mut Vec<u8>) {
        named(out, "ASM", self.object(100), 3);
    }

    fn course(&self, out: &mut Vec<u8>) {
        named(out, "COURSE", self.course, 3);
    }
}

impl Writer {
    /// Writes key and value; returns the event time that can be read from the value.
    pub(super) fn write(
        &self,
        draft: &Draft,
        story: &mut Random,
        random: &mut Random,
        made: &mut Made,
    ) -> Option<Time> {
        let story = Story::draw(self, draft.partition, story);
        let user = match draft.event.actor() {
            Actor::Student => story.student,
            Actor::Teacher => story.teacher,
            Actor::Anyone => story.anyone,
        };
        made.key.extend_from_slice(user.prefix().as_bytes());
        padded(&mut made.key, user.number, 3);
        let mut document = Document::new(&mut made.value, draft.fault, draft.shape);
        if self.for_job {
            let id = (random.bits(), random.bits());
            document.field("event_id", |out| uuid(out, id));
        }
        document.plain("event_category", draft.event.category());
        let name = if self.for_job { "action" } else { "event_type" };
        document.plain(name, draft.event.name(self.for_job));
        document.field("user_id", |out| user.id(out));
        if !self.for_job {
            document.plain("role", if user.is_teacher { "teacher" } else { "student" });
        }
        // The text has whole seconds, and the local time of the producer.
        let time = Time::from_seconds(draft.time.micros().div_euclid(1_000_000));
        let readable = document.time_as("timestamp", time, |out, time| {
            naive(out, Time::from_seconds(time.seconds() + self.offset));
        });
        self.body(draft.event, user, &story, (time, random), &mut document);
        document.end();
        readable
    }

    fn body(
        &self,
        event: Event,
        user: User,
        story: &Story,
        (time, random): (Time, &mut Random),
        document: &mut Document<'_>,
    ) {
        match event.category() {
            "AUTH" => self.auth(event, user, story, document),
            "ASSESSMENT" => self.assessment(event, story, (time, random), document),
            "VIDEO" => self.video(event, story, random, document),
            "COURSE" => self.course(event, story, random, document),
            "PROFILE" => self.profile(event, user, random, document),
            _ => self.notification(story, document),
        }
    }

    fn auth(&self, event: Event, user: User, story: &Story, document: &mut Document<'_>) {
        let is_login = matches!(event, Event::Login | Event::FailedLogin);
        if is_login && self.profile == Profile::Full {
            document.field("success", |out| boolean(out, event == Event::Login));
        }
        if self.for_job {
            return;
        }
        if event == Event::Signup {
            document.field("email", |out| user.email(out));
            document.plain("registration_source", SOURCES[(story.kind % 3) as usize]);
        } else {
            document.field("session_id", |out| uuid(out, story.session));
        }
    }

    fn assessment(
        &self,
        event: Event,
        story: &Story,
        (time, random): (Time, &mut Random),
        document: &mut Document<'_>,
    ) {
        use Event::*;
        if matches!(event, ViewWork | GradeAssignment | ReopenAssignment) && !self.for_job {
            document.field("student_id", |out| story.student.id(out));
        }
        if matches!(event, StartQuiz | AnswerQuestion(_) | CompleteQuiz(_)) {
            document.field("quiz_id", |out| named(out, "QUIZ", story.object(50), 3));
        } else {
            document.field("assignment_id", |out| story.assignment(out));
        }
        if !matches!(event, DeleteAssignment | ReopenAssignment) {
            document.field("course_id", |out| story.course(out));
        }
        match event {
            ViewAssignment if !self.for_job => {
                document.plain("assignment_type", ASSIGNMENT_TYPES[(story.kind % 4) as usize]);
            }
            SubmitAssignment | EditAssignment if !self.for_job => {
                document.field("file_url", |out| file(out, "submissions", story.object));
            }
            AnswerQuestion(question) => {
                document.field("question_id", |out| named(out, "Q", question.into(), 1));
            }
            CompleteQuiz(0) => document.number("correct_answers", random.between(5, 50)),
            CompleteQuiz(questions) => {
                document.number("correct_answers", random.between(0, questions.into()));
                document.number("total_questions", questions.into());
            }
            GradeAssignment => document.number("score", random.between(40, 100)),
            ReopenAssignment if !self.for_job => {
                let days = random.between(2, 7) as i64;
                document.field("new_due_date", |out| self.due_date(out, time, days));
            }
            _ => {}
        }
        if event == SubmitAssignment && self.profile == Profile::Full && random.chance(SCORED) {
            document.number("score", random.between(40, 100));
            document.number("max_score", 100);
        }
    }

    fn video(&self, event: Event, story: &Story, random: &mut Random, document: &mut Document<'_>) {
        document.field("video_id", |out| named(out, "VID", story.object(200), 3));
        document.field("course_id", |out| story.course(out));
        if event == Event::WatchVideo {
            document.number("watch_duration_seconds", watched(random));
        }
        if !self.for_job {
            document.field("session_id", |out| uuid(out, story.session));
        }
    }

    fn course(
        &self,
        event: Event,
        story: &Story,
        random: &mut Random,
        document: &mut Document<'_>,
    ) {
        document.field("course_id", |out| story.course(out));
        match event {
            Event::ClickItem => {
                let name = if self.for_job { "material_id" } else { "item_id" };
                document.field(name, |out| named(out, "ITEM", story.object(500), 1));
                if !self.for_job {
                    document.plain("item_type", random.pick::<&str>(&ITEM_TYPES));
                }
            }
            Event::Download => {
                let name = if self.for_job { "resource_id" } else { "material_id" };
                document.field(name, |out| named(out, "MAT", story.object(200), 1));
            }
            Event::CreateCourse if !self.for_job => {
                document.plain("course_name", random.pick::<&str>(&COURSE_NAMES));
                let code = random.between(100, 499);
                document.field("course_code", |out| named(out, "CS", code, 3));
                document.plain("semester", random.pick::<&str>(&SEMESTERS));
                document.number("max_students", *random.pick(&SIZES));
            }
            _ => {}
        }
    }

    fn profile(&self, event: Event, user: User, random: &mut Random, document: &mut Document<'_>) {
        match event {
            Event::UpdateProfile => {
                let first = random.below(4) as usize;
                let second = (first + random.between(1, 3) as usize) % 4;
                let fields = [PROFILE_FIELDS[first], PROFILE_FIELDS[second]];
                let fields = &fields[..random.between(1, 2) as usize];
                if self.for_job {
                    return document.plain("field_name", fields[0]);
                }
                document.field("updated_fields", |out| {
                    list(out, fields, |out, field| quoted(out, field));
                });
                let (old, new) = (random.bits(), random.bits());
                document.field("old_email", |out| user.email(out));
                document.field("new_email", |out| user.email(out));
                document.field("old_phone", |out| phone(out, old));
                document.field("new_phone", |out| phone(out, new));
            }
            Event::ChangePicture if !self.for_job => {
                let number = random.bits();
                document.field("picture_url", |out| file(out, "pictures", number));
            }
            Event::CreateProfile if !self.for_job => new_profile(user, random, document),
            _ => {}
        }
    }

    fn notification(&self, story: &Story, document: &mut Document<'_>) {
        document.field("notification_id", |out| named(out, "NOTIF", story.object(10_000), 1));
        document.plain("notification_type", NOTIFICATION_TYPES[(story.kind % 5) as usize]);
        if !self.for_job {
            document.plain("channel", CHANNELS[(story.kind / 5 % 4) as usize]);
            document.field("related_object_id", |out| match story.kind / 20 % 2 {
                0 => story.assignment(out),
                _ => story.course(out),
            });
        }
    }

    /// One minute before midnight, so many days on.
    fn due_date(&self, out: &mut Vec<u8>, time: Time, days: i64) {
        const DAY: i64 = 86_400;
        let today = (time.seconds() + self.offset).div_euclid(DAY);
        naive(out, Time::from_seconds((today + days + 1) * DAY - 60));
    }
}

fn new_profile(user: User, random: &mut Random, document: &mut Document<'_>) {
    document.field("email", |out| user.email(out));
    let (first, last) = (*random.pick(&FIRST_NAMES), *random.pick(&LAST_NAMES));
    document.field("full_name", |out| {
        out.push(b'"');
        out.extend_from_slice(last.as_bytes());
        out.push(b' ');
        out.extend_from_slice(first.as_bytes());
        out.push(b'"');
    });
    let born = [random.between(1_965, 2_007), random.between(1, 12), random.between(1, 28)];
    document.field("date_of_birth", |out| {
        named(out, "", born[0], 4);
        out.pop();
        for part in &born[1..] {
            out.push(b'-');
            padded(out, *part, 2);
        }
        out.push(b'"');
    });
    document.plain("gender", random.pick::<&str>(&GENDERS));
    let number = random.bits();
    document.field("phone_number", |out| phone(out, number));
    let (major, year) = (*random.pick(&MAJORS), random.between(2_018, 2_024));
    if user.is_teacher {
        document.always("major").extend_from_slice(b"null");
        document.always("enrollment_year").extend_from_slice(b"null");
    } else {
        document.plain("major", major);
        document.number("enrollment_year", year);
    }
}

fn watched(random: &mut Random) -> u64 {
    let mut percent = random.below(100);
    for (seconds, share) in WATCHED {
        match percent.checked_sub(share) {
            Some(rest) => percent = rest,
            None => return seconds,
        }
    }
    WATCHED[0].0
}

fn phone(out: &mut Vec<u8>, number: u64) {
    named(out, "09", number % 100_000_000, 8);
}

fn file(out: &mut Vec<u8>, folder: &str, number: u64) {
    out.extend_from_slice(b"\"https://files.university.edu/");
    out.extend_from_slice(folder.as_bytes());
    out.push(b'/');
    digits(out, number % 1_000_000_000);
    out.push(b'"');
}
