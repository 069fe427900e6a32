//! Event time: [`Time`] in microseconds, [`Millis`] for watermarks and frontiers, durations.
//!
//! Events, rows and windows keep [`Time`]. Watermarks, frontiers and timely's event coordinate are
//! [`Millis`]; [`Time::floor_ms`] is the only way from one to the other, and it rounds down, also
//! before 1970. Both are signed.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// An instant of event time: microseconds since 1970-01-01T00:00:00Z, signed.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Time(i64);

impl Time {
    /// The least time that a record may carry: the start of the year 1.
    pub const MIN: Time = Time(-62_135_596_800_000_000);
    /// The greatest time that a record may carry: the last microsecond of the year 9999.
    pub const MAX: Time = Time(253_402_300_799_999_999);

    /// The time so many microseconds after 1970.
    pub const fn from_micros(micros: i64) -> Time {
        Time(micros)
    }

    /// The time so many milliseconds after 1970, saturating.
    pub const fn from_millis(millis: i64) -> Time {
        Time(millis.saturating_mul(1_000))
    }

    /// The time so many seconds after 1970, saturating.
    pub const fn from_seconds(seconds: i64) -> Time {
        Time(seconds.saturating_mul(1_000_000))
    }

    /// Microseconds since 1970.
    pub const fn micros(self) -> i64 {
        self.0
    }

    /// Whole seconds since 1970, the fraction cut off toward minus infinity.
    pub const fn seconds(self) -> i64 {
        self.0.div_euclid(1_000_000)
    }

    /// The millisecond that contains this time, rounded down.
    ///
    /// ```
    /// use highwater::time::{Millis, Time};
    /// assert_eq!(Time::from_micros(1_999).floor_ms(), Millis(1));
    /// assert_eq!(Time::from_micros(-1).floor_ms(), Millis(-1));
    /// ```
    pub const fn floor_ms(self) -> Millis {
        Millis(self.0.div_euclid(1_000))
    }

    /// Whether a record may carry this time: years 1 to 9999.
    pub const fn is_legal(self) -> bool {
        Time::MIN.0 <= self.0 && self.0 <= Time::MAX.0
    }

    /// This time plus a duration, saturating.
    pub const fn plus(self, duration: Duration) -> Time {
        Time(self.0.saturating_add(micros(duration)))
    }

    /// This time minus a duration, saturating.
    pub const fn minus(self, duration: Duration) -> Time {
        Time(self.0.saturating_sub(micros(duration)))
    }
}

/// Prints ISO 8601 with six digits and `Z`.
///
/// ```
/// use highwater::time::Time;
/// assert_eq!(Time::from_micros(1_500_000).to_string(), "1970-01-01T00:00:01.500000Z");
/// assert_eq!(Time::from_micros(-1).to_string(), "1969-12-31T23:59:59.999999Z");
/// ```
impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (day, micros) = (self.0.div_euclid(DAY), self.0.rem_euclid(DAY));
        let (year, month, date) = civil(day);
        let (seconds, fraction) = (micros / 1_000_000, micros % 1_000_000);
        let (hour, minute, second) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
        write!(f, "{year:04}-{month:02}-{date:02}T{hour:02}:{minute:02}:{second:02}.{fraction:06}Z")
    }
}

const DAY: i64 = 86_400_000_000;

/// Year, month and day of the day so many days after 1970-01-01, in the Gregorian calendar.
pub const fn civil(day: i64) -> (i64, i64, i64) {
    // Days are counted from 0000-03-01, so that a leap day is the last of its year.
    let shifted = day + 719_468;
    let era = shifted.div_euclid(146_097);
    let of_era = shifted.rem_euclid(146_097);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let date = of_year - (153 * month + 2) / 5 + 1;
    let (month, carry) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    (era * 400 + year + carry, month, date)
}

/// Days from 1970-01-01 to a day of the Gregorian calendar; `month` is 1 to 12.
pub const fn days_from_civil(year: i64, month: i64, date: i64) -> i64 {
    let shifted = if month <= 2 { year - 1 } else { year };
    let era = shifted.div_euclid(400);
    let of_era = shifted.rem_euclid(400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + date - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

/// A watermark or frontier: whole milliseconds since 1970, signed.
///
/// The least value, `Millis::MIN`, is the promise of a partition that has shown nothing yet; the
/// greatest, `Millis::MAX`, that of one that has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Millis(pub i64);

impl Millis {
    /// Nothing has been promised.
    pub const MIN: Millis = Millis(i64::MIN);
    /// Nothing will come any more.
    pub const MAX: Millis = Millis(i64::MAX);

    /// This watermark so much earlier, saturating; the duration is cut to whole milliseconds.
    pub const fn minus(self, duration: Duration) -> Millis {
        Millis(self.0.saturating_sub(micros(duration) / 1_000))
    }

    /// This watermark so much later, saturating; the duration is cut to whole milliseconds.
    pub const fn plus(self, duration: Duration) -> Millis {
        Millis(self.0.saturating_add(micros(duration) / 1_000))
    }
}

impl Default for Millis {
    fn default() -> Millis {
        Millis::MIN
    }
}

/// Prints the instant, or `-` and `end` for the two extremes.
impl fmt::Display for Millis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Millis::MIN => f.write_str("-"),
            Millis::MAX => f.write_str("end"),
            Millis(millis) => {
                let text = Time::from_millis(millis).to_string();
                write!(f, "{}Z", &text[..text.len() - 4])
            }
        }
    }
}

/// Microseconds of a duration, saturating at the greatest `i64`.
pub const fn micros(duration: Duration) -> i64 {
    let micros = duration.as_micros();
    if micros > i64::MAX as u128 { i64::MAX } else { micros as i64 }
}

/// A duration of so many milliseconds.
pub const fn millis(n: u64) -> Duration {
    Duration::from_millis(n)
}

/// A duration of so many seconds.
pub const fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

/// A duration of so many minutes.
pub const fn minutes(n: u64) -> Duration {
    Duration::from_secs(n.saturating_mul(60))
}

/// A duration of so many hours.
pub const fn hours(n: u64) -> Duration {
    Duration::from_secs(n.saturating_mul(3_600))
}

/// A duration of so many days.
pub const fn days(n: u64) -> Duration {
    Duration::from_secs(n.saturating_mul(86_400))
}

/// Reads a duration as configuration writes it: `500us`, `250ms`, `10s`, `5m`, `2h`, `1d`, and the
/// long forms of the replaced systems, such as `10 seconds` or `1 minute`.
///
/// # Errors
///
/// A sentence that names the text and the units.
///
/// ```
/// use highwater::time::{parse_duration, seconds};
/// assert_eq!(parse_duration("90s"), Ok(seconds(90)));
/// assert_eq!(parse_duration("1 minute"), Ok(seconds(60)));
/// assert!(parse_duration("90").unwrap_err().contains("unit"));
/// ```
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    let trimmed = text.trim();
    let digits = trimmed.len() - trimmed.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (number, unit) = (&trimmed[..digits], trimmed[digits..].trim());
    let wrong = |why: &str| format!("`{text}` is no duration: {why}; write one like \"5m\"");
    let number: u64 = number.parse().map_err(|_| wrong("it does not begin with a number"))?;
    let micros = match unit {
        "us" | "µs" => 1,
        "ms" | "millisecond" | "milliseconds" => 1_000,
        "s" | "sec" | "second" | "seconds" => 1_000_000,
        "m" | "min" | "minute" | "minutes" => 60_000_000,
        "h" | "hour" | "hours" => 3_600_000_000,
        "d" | "day" | "days" => 86_400_000_000,
        "" => return Err(wrong("it has no unit (us, ms, s, m, h, d)")),
        _ => return Err(wrong("its unit is none of us, ms, s, m, h, d")),
    };
    let total = number.checked_mul(micros).ok_or_else(|| wrong("it is too long"))?;
    Ok(Duration::from_micros(total))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_and_civil_dates_are_inverse() {
        for day in (-800_000..3_000_000).step_by(997) {
            let (year, month, date) = civil(day);
            assert_eq!(days_from_civil(year, month, date), day, "{year}-{month}-{date}");
        }
    }

    #[test]
    fn the_limits_are_the_years_1_and_9999() {
        assert_eq!(Time::MIN.to_string(), "0001-01-01T00:00:00.000000Z");
        assert_eq!(Time::MAX.to_string(), "9999-12-31T23:59:59.999999Z");
    }

    #[test]
    fn sums_saturate() {
        assert_eq!(Time::from_micros(i64::MAX).plus(days(1)), Time::from_micros(i64::MAX));
        assert_eq!(Millis::MIN.minus(days(1)), Millis::MIN);
    }
}
