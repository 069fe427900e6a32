//! Event times: from the texts and numbers of records to [`Time`].
//!
//! The forms are those of Spark's cast of a text to a timestamp, without the ones whose meaning
//! depends on the day they are read; `extended` adds counts of seconds, milliseconds, microseconds
//! and nanoseconds since 1970, told apart by magnitude. Only the years 1 to 9999 are times.

use std::fmt;

use jiff::civil::DateTime;
use jiff::tz::{Offset, TimeZone};

use crate::text::Text;
use crate::time::{Time, days_from_civil};

/// Reads a time; one without a zone is local to `zone`.
///
/// A local time that a clock change skips moves forward by the gap; one that occurs twice is the
/// earlier of the two. Digits beyond microseconds are cut. `None` is every text that is no time.
///
/// ```
/// use highwater::codec::timestamp::{Zone, parse};
/// let hanoi = Zone::named("Asia/Ho_Chi_Minh").unwrap();
/// let time = parse("2025-10-02 00:45:23.5", &hanoi, true).unwrap();
/// assert_eq!(time.to_string(), "2025-10-01T17:45:23.500000Z");
/// assert_eq!(parse("2025-10-02T00:45:23Z", &hanoi, true), parse("1759365923", &hanoi, true));
/// assert_eq!(parse("1759365923", &hanoi, false), None);
/// ```
pub fn parse(text: &str, zone: &Zone, extended: bool) -> Option<Time> {
    let text = trim(text);
    if let Some((local, rest)) = fixed(text) {
        return tail(rest).and_then(|(fraction, place)| instant(local, fraction, &place, zone));
    }
    if extended
        && matches!(text.len(), 10 | 13 | 16 | 19)
        && let Some(count) = whole(text)
    {
        return from_number(count, true);
    }
    general(text, zone, extended)
}

/// The time that a number means: seconds since 1970; with `extended`, by its magnitude seconds (up
/// to 11 digits), milliseconds (to 14), microseconds (to 17) or nanoseconds.
///
/// ```
/// use highwater::codec::timestamp::from_number;
/// use highwater::time::Time;
/// assert_eq!(from_number(5, true), Some(Time::from_seconds(5)));
/// assert_eq!(from_number(1_759_365_923_000, true), Some(Time::from_seconds(1_759_365_923)));
/// assert_eq!(from_number(1_759_365_923_000, false), None, "beyond the year 9999");
/// ```
pub fn from_number(count: i64, extended: bool) -> Option<Time> {
    let micros = match count.unsigned_abs() {
        _ if !extended => count.checked_mul(1_000_000)?,
        0..100_000_000_000 => count * 1_000_000,
        100_000_000_000..100_000_000_000_000 => count * 1_000,
        100_000_000_000_000..100_000_000_000_000_000 => count,
        _ => count.div_euclid(1_000),
    };
    legal(micros)
}

/// The time so many milliseconds after 1970, as an integer.
pub fn from_millis(count: i64) -> Option<Time> {
    legal(count.checked_mul(1_000)?)
}

/// The time so many milliseconds after 1970, as text; spaces around it and a fraction are cut off.
pub fn from_millis_text(text: &str) -> Option<Time> {
    let text = trim(text);
    let (count, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    let unsigned = count.strip_prefix(['-', '+']).unwrap_or(count);
    let sound = !unsigned.is_empty() && digits(unsigned) && digits(fraction);
    sound.then(|| count.parse().ok()).flatten().and_then(from_millis)
}

/// The zone of times that name none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Zone {
    name: Text,
    /// Absent for UTC, which needs no table.
    table: Option<TimeZone>,
}

impl Zone {
    /// UTC.
    pub fn utc() -> Zone {
        Zone { name: Text::const_new("UTC"), table: None }
    }

    /// The zone of an IANA name such as `Asia/Ho_Chi_Minh`, in any case, or of an offset such as
    /// `+07:00`.
    ///
    /// # Errors
    ///
    /// A sentence that names the text, if there is no such zone.
    pub fn named(name: &str) -> Result<Zone, String> {
        if let Some(seconds) = offset(name) {
            let offset = i32::try_from(seconds).ok().and_then(|s| Offset::from_seconds(s).ok());
            let table = offset.filter(|offset| !offset.is_zero()).map(TimeZone::fixed);
            return Ok(
                table.map_or_else(Zone::utc, |zone| Zone { name: name.into(), table: Some(zone) })
            );
        }
        let table = TimeZone::get(name).map_err(|_| {
            format!(
                "no time zone is named `{name}`; write one like \"Asia/Ho_Chi_Minh\" or \"+07:00\""
            )
        })?;
        match table.iana_name().map(Text::from) {
            Some(name) if name != "UTC" => Ok(Zone { name, table: Some(table) }),
            _ => Ok(Zone::utc()),
        }
    }

    /// Its name: `UTC`, the IANA name or the offset.
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl Default for Zone {
    fn default() -> Zone {
        Zone::utc()
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

/// A date and a time of day that exist in the calendar.
#[derive(Clone, Copy)]
struct Local {
    year: i64,
    month: i64,
    date: i64,
    hour: i64,
    minute: i64,
    second: i64,
}

impl Local {
    fn checked(self) -> Option<Local> {
        let leap = self.year % 4 == 0 && (self.year % 100 != 0 || self.year % 400 == 0);
        let days = match self.month {
            2 => 28 + i64::from(leap),
            4 | 6 | 9 | 11 => 30,
            _ => 31,
        };
        let sound = self.year >= 1
            && (1..=12).contains(&self.month)
            && (1..=days).contains(&self.date)
            && self.hour < 24
            && self.minute < 60
            && self.second < 60;
        sound.then_some(self)
    }

    /// Seconds since 1970, were it a time of UTC.
    fn seconds(self) -> i64 {
        let day = days_from_civil(self.year, self.month, self.date);
        day * 86_400 + self.hour * 3_600 + self.minute * 60 + self.second
    }
}

/// What a text says about its zone.
enum Place {
    Unsaid,
    Offset(i64),
    Zone(TimeZone),
}

fn instant(local: Local, fraction: i64, place: &Place, zone: &Zone) -> Option<Time> {
    let table = match (place, &zone.table) {
        (Place::Offset(offset), _) => {
            return legal((local.seconds() - offset) * 1_000_000 + fraction);
        }
        (Place::Unsaid, None) => return legal(local.seconds() * 1_000_000 + fraction),
        (Place::Unsaid, Some(table)) | (Place::Zone(table), _) => table,
    };
    // The fraction stays out of it: clocks change at whole seconds.
    let [month, date, hour, minute, second] =
        [local.month, local.date, local.hour, local.minute, local.second].map(|n| n as i8);
    let civil = DateTime::new(local.year as i16, month, date, hour, minute, second, 0).ok()?;
    let instant = table.to_ambiguous_timestamp(civil).compatible().ok()?;
    legal(instant.as_microsecond() + fraction)
}

fn legal(micros: i64) -> Option<Time> {
    Some(Time::from_micros(micros)).filter(|time| time.is_legal())
}

fn trim(text: &str) -> &str {
    text.trim_matches(|c: char| c <= ' ')
}

/// The number that a text of digits is.
fn whole(text: &str) -> Option<i64> {
    text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

/// Reads `YYYY-MM-DD`, `T` or a space, `HH:MM:SS`, and returns what follows.
///
/// It is tried first, as nearly all times are written so; all positions are known beforehand.
fn fixed(text: &str) -> Option<(Local, &str)> {
    let bytes: &[u8; 19] = text.as_bytes().first_chunk()?;
    let marks = [bytes[4], bytes[7], bytes[13], bytes[16]];
    if marks != *b"--::" || !matches!(bytes[10], b'T' | b' ') {
        return None;
    }
    let mut sound = true;
    let mut pair = |at: usize| {
        let (tens, ones) = (bytes[at].wrapping_sub(b'0'), bytes[at + 1].wrapping_sub(b'0'));
        sound &= tens < 10 && ones < 10;
        i64::from(tens) * 10 + i64::from(ones)
    };
    let local = Local {
        year: pair(0) * 100 + pair(2),
        month: pair(5),
        date: pair(8),
        hour: pair(11),
        minute: pair(14),
        second: pair(17),
    };
    // All nineteen bytes are ASCII here, so the rest begins at a character.
    let local = sound.then_some(local)?.checked()?;
    Some((local, text.get(19..)?))
}

/// Reads the short forms: parts of one digit, and texts that end before the seconds.
fn general(text: &str, zone: &Zone, extended: bool) -> Option<Time> {
    const MARKS: [&[char]; 5] = [&['-'], &['-'], &['T', ' '], &[':'], &[':']];
    let mut cursor = Cursor(text);
    let mut parts = [cursor.number(4, 4)?, 1, 1, 0, 0, 0];
    let mut read = 1;
    while read < 6 && cursor.mark(MARKS[read - 1]) {
        parts[read] = cursor.number(1, 2)?;
        read += 1;
    }
    // A fraction follows seconds only; a zone, as Spark has it, too.
    let open = read == 6 || (read == 5 && extended && !cursor.0.starts_with('.'));
    if !open && !cursor.0.is_empty() {
        return None;
    }
    let (fraction, place) = tail(cursor.0)?;
    let [year, month, date, hour, minute, second] = parts;
    let local = Local { year, month, date, hour, minute, second }.checked()?;
    instant(local, fraction, &place, zone)
}

struct Cursor<'a>(&'a str);

impl Cursor<'_> {
    /// Takes all digits here, if they are at least and at most so many.
    fn number(&mut self, least: usize, most: usize) -> Option<i64> {
        let count = self.0.bytes().take_while(u8::is_ascii_digit).count();
        let (digits, rest) = self.0.split_at(count);
        self.0 = rest;
        (least..=most).contains(&count).then(|| digits.parse().ok()).flatten()
    }

    fn mark(&mut self, marks: &[char]) -> bool {
        let rest = self.0.strip_prefix(marks);
        self.0 = rest.unwrap_or(self.0);
        rest.is_some()
    }
}

/// Reads what may follow the seconds: a fraction, cut to microseconds, and a zone.
fn tail(text: &str) -> Option<(i64, Place)> {
    let (mut micros, mut rest) = (0, text);
    if let Some(fraction) = text.strip_prefix('.') {
        let count = fraction.bytes().take_while(u8::is_ascii_digit).count();
        for at in 0..6 {
            let digit = if at < count { fraction.as_bytes()[at] - b'0' } else { 0 };
            micros = micros * 10 + i64::from(digit);
        }
        rest = &fraction[count..];
    }
    let place = match rest {
        "" => Place::Unsaid,
        "Z" | "+00:00" => Place::Offset(0),
        _ => place(trim(rest))?,
    };
    Some((micros, place))
}

fn place(text: &str) -> Option<Place> {
    if let "Z" | "UTC" | "GMT" | "UT" = text {
        return Some(Place::Offset(0));
    }
    let bare = ["UTC", "GMT", "UT"].iter().find_map(|name| text.strip_prefix(name));
    if let Some(seconds) = offset(bare.unwrap_or(text)) {
        return Some(Place::Offset(seconds));
    }
    if !text.starts_with(|c: char| c.is_ascii_alphabetic()) {
        return None;
    }
    // The database ignores case; Java, whose rule this is, does not.
    let zone = TimeZone::get(text).ok()?;
    (zone.iana_name() == Some(text)).then_some(Place::Zone(zone))
}

/// Seconds east of UTC: a sign, then `H`, `HH`, `HHMM`, `HH:MM`, up to 18 hours.
fn offset(text: &str) -> Option<i64> {
    let sign = match text.as_bytes().first()? {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let digits = &text[1..];
    let (hours, minutes) = match digits.split_once(':') {
        Some((hours, minutes)) => (hours, minutes),
        None if digits.len() == 4 && digits.is_ascii() => digits.split_at(2),
        None => (digits, "0"),
    };
    let part = |text: &str| (1..=2).contains(&text.len()).then(|| whole(text)).flatten();
    let (hours, minutes) = (part(hours)?, part(minutes)?);
    let sound = minutes < 60 && hours * 60 + minutes <= 18 * 60;
    sound.then_some(sign * (hours * 3_600 + minutes * 60))
}

#[cfg(test)]
mod fuzz;
#[cfg(test)]
mod tests;
