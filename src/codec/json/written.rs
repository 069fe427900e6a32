//! [`WrittenTime`]: an event time with the text that it was written as.

use super::word::Spelled;
use crate::codec::{Options, timestamp};
use crate::text::Text;
use crate::time::Time;

/// A time, and the text that it was written as. The usual form, `2026-03-01T12:00:00.000000+00:00`,
/// is too long to be held inline, so it is not kept but written again.
///
/// ```
/// use highwater::codec::json::WrittenTime;
/// let check = |text: &str| assert_eq!(WrittenTime::parse(text).text(), text);
/// check("2026-03-01T12:00:00.250000+00:00");
/// check("2026-03-01 12:00");
/// check("soon");
/// assert_eq!(WrittenTime::parse("soon").time(), None);
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct WrittenTime(Form);

#[derive(Clone, Debug, PartialEq)]
enum Form {
    Usual(Time),
    Other(Option<Time>, Text),
}

impl WrittenTime {
    /// The time of a text in the common options: UTC where it names no zone.
    pub fn parse(text: &str) -> WrittenTime {
        WrittenTime::of(text, &Options::default())
    }

    /// When it is; `None` if the text is no time.
    #[inline]
    pub fn time(&self) -> Option<Time> {
        match &self.0 {
            Form::Usual(time) => Some(*time),
            Form::Other(time, _) => *time,
        }
    }

    /// The text that it was written as.
    pub fn text(&self) -> Text {
        match &self.0 {
            Form::Usual(time) => Text::from(time.to_string().replace('Z', "+00:00")),
            Form::Other(_, text) => text.clone(),
        }
    }
}

impl Spelled for WrittenTime {
    fn of(text: &str, options: &Options) -> WrittenTime {
        let time = timestamp::parse(text, &options.naive_tz, options.extended_times);
        WrittenTime(match time {
            Some(time) if is_usual(text) => Form::Usual(time),
            time => Form::Other(time, text.into()),
        })
    }
}

/// Whether a text that is a time has the form in which times are written again.
fn is_usual(text: &str) -> bool {
    const USUAL: &[u8; 32] = b"0000-00-00T00:00:00.000000+00:00";
    let is_like = |(nth, (found, usual)): (usize, (u8, &u8))| match usual {
        b'0' if nth < 26 => found.is_ascii_digit(),
        _ => found == *usual,
    };
    text.len() == USUAL.len() && text.bytes().zip(USUAL).enumerate().all(is_like)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_they_were() {
        let check = |text: &str, is_time: bool| {
            let written = WrittenTime::parse(text);
            assert_eq!((written.text().as_str(), written.time().is_some()), (text, is_time));
        };
        check("2026-03-01T12:00:00.123456+00:00", true);
        check("0001-01-01T00:00:00.000000+00:00", true);
        check("9999-12-31T23:59:59.999999+00:00", true);
        check("2026-03-01T12:00:00.123456+07:00", true);
        check("2026-03-01 12:00:00.123456+00:00", true);
        check("2026-03-01T12:00:00+00:00", true);
        check("2026-03-01T12:00:60.000000+00:00", false);
        check("2026-02-30T12:00:00.000000+00:00", false);
        check("", false);
    }

    #[test]
    fn the_usual_form_is_not_kept() {
        let written = WrittenTime::parse("2026-03-01T12:00:00.123456+00:00");
        assert!(matches!(written.0, Form::Usual(_)));
    }
}
