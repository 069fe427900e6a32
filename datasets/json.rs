//! JSON written by hand into a buffer: generators make documents faster than anything reads them.

use std::ops::Range;

use highwater::dataset::Fault;
use highwater::time::{Time, civil};

use crate::random::hash;

/// A document that grows at the end of a buffer, with the faults that a record may have.
pub(crate) struct Document<'b> {
    out: &'b mut Vec<u8>,
    start: usize,
    fault: Option<Fault>,
    /// Random bits that decide how the fault looks.
    bits: u64,
    /// Where the values of the fields that may be null lie; only kept if one is to be null.
    values: Vec<Range<usize>>,
}

impl<'b> Document<'b> {
    /// Begins a document.
    pub(crate) fn new(out: &'b mut Vec<u8>, fault: Option<Fault>, bits: u64) -> Document<'b> {
        let start = out.len();
        out.push(b'{');
        Document { out, start, fault, bits, values: Vec::new() }
    }

    /// Writes the name of a field that is never null; its value is up to the caller.
    #[inline]
    pub(crate) fn always(&mut self, name: &str) -> &mut Vec<u8> {
        if self.start + 1 < self.out.len() {
            self.out.push(b',');
        }
        self.out.push(b'"');
        self.out.extend_from_slice(name.as_bytes());
        self.out.extend_from_slice(b"\":");
        self.out
    }

    /// Writes a field that may be null; its value is written by `value`, already as JSON.
    #[inline]
    pub(crate) fn field(&mut self, name: &str, value: impl FnOnce(&mut Vec<u8>)) {
        let out = self.always(name);
        let begin = out.len();
        value(out);
        if self.fault == Some(Fault::NullField) {
            self.values.push(begin..self.out.len());
        }
    }

    /// Writes a field of text that needs no escapes.
    #[inline]
    pub(crate) fn plain(&mut self, name: &str, text: &str) {
        self.field(name, |out| quoted(out, text));
    }

    /// Writes a field with an integer.
    #[inline]
    pub(crate) fn number(&mut self, name: &str, number: u64) {
        self.field(name, |out| digits(out, number));
    }

    /// Writes the event time as ISO 8601 with microseconds and `+00:00`, or what a fault makes of
    /// it; returns the time that can be read.
    pub(crate) fn time(&mut self, name: &str, time: Time) -> Option<Time> {
        self.time_as(name, time, iso)
    }

    /// Writes the event time in a form of its own; otherwise as [`Document::time`].
    pub(crate) fn time_as(
        &mut self,
        name: &str,
        time: Time,
        form: impl FnOnce(&mut Vec<u8>, Time),
    ) -> Option<Time> {
        if self.fault == Some(Fault::NoTime) {
            match self.bits % 3 {
                0 => {}
                1 => self.always(name).extend_from_slice(b"null"),
                _ => self.always(name).extend_from_slice(b"\"not a time\""),
            }
            return None;
        }
        form(self.always(name), time);
        Some(time)
    }

    /// Ends the document; one that is to be bad is cut somewhere, so that it never parses.
    pub(crate) fn end(self) {
        self.out.push(b'}');
        match self.fault {
            Some(Fault::NullField) if !self.values.is_empty() => {
                let index = self.bits % self.values.len() as u64;
                self.out.splice(self.values[index as usize].clone(), *b"null");
            }
            Some(Fault::BadJson) => cut(self.out, self.start, self.bits),
            _ => {}
        }
    }
}

/// Cuts a document that begins at a place of the buffer, so that it never parses.
pub(crate) fn cut(out: &mut Vec<u8>, start: usize, bits: u64) {
    let length = out.len() - start;
    let mut keep = 1 + hash(bits, 1) as usize % (length - 1);
    // A cut inside a character would be bad UTF-8 instead.
    while out[start + keep] & 0xc0 == 0x80 {
        keep -= 1;
    }
    out.truncate(start + keep);
}

/// Writes text in quotes that needs no escapes.
#[inline]
pub(crate) fn quoted(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    out.extend_from_slice(text.as_bytes());
    out.push(b'"');
}

/// The inside of a JSON string: the text with its escapes.
pub(crate) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            c if c < ' ' => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out
}

/// Writes an integer.
#[inline]
pub(crate) fn digits(out: &mut Vec<u8>, mut number: u64) {
    let mut buffer = [0; 20];
    let mut at = buffer.len();
    loop {
        at -= 1;
        buffer[at] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            break;
        }
    }
    out.extend_from_slice(&buffer[at..]);
}

/// Writes an integer with leading zeros, in at least so many digits (20 at most).
#[inline]
pub(crate) fn padded(out: &mut Vec<u8>, number: u64, width: usize) {
    let at = out.len();
    digits(out, number);
    let missing = width.saturating_sub(out.len() - at);
    out.splice(at..at, std::iter::repeat_n(b'0', missing));
}

/// Writes so many of the lowest hexadecimal digits of a word.
#[inline]
pub(crate) fn hex(out: &mut Vec<u8>, word: u64, width: u32) {
    for digit in (0..width).rev() {
        out.push(b"0123456789abcdef"[(word >> (4 * digit) & 15) as usize]);
    }
}

/// Writes true or false.
#[inline]
pub(crate) fn boolean(out: &mut Vec<u8>, value: bool) {
    out.extend_from_slice(if value { b"true" } else { b"false" });
}

/// Writes a list of what `item` writes of each.
#[inline]
pub(crate) fn list<T>(
    out: &mut Vec<u8>,
    of: impl IntoIterator<Item = T>,
    mut item: impl FnMut(&mut Vec<u8>, T),
) {
    out.push(b'[');
    for (index, one) in of.into_iter().enumerate() {
        if 0 < index {
            out.push(b',');
        }
        item(out, one);
    }
    out.push(b']');
}

/// Writes in quotes a name that ends with a number of at least so many digits: `"user_0001"`.
#[inline]
pub(crate) fn named(out: &mut Vec<u8>, name: &str, number: u64, width: usize) {
    out.push(b'"');
    out.extend_from_slice(name.as_bytes());
    padded(out, number, width);
    out.push(b'"');
}

/// Writes an amount of hundredths with two decimals.
#[inline]
pub(crate) fn hundredths(out: &mut Vec<u8>, amount: u64) {
    digits(out, amount / 100);
    out.push(b'.');
    padded(out, amount % 100, 2);
}

/// Writes in quotes a random UUID (version 4) of 122 of the bits.
#[inline]
pub(crate) fn uuid(out: &mut Vec<u8>, (high, low): (u64, u64)) {
    out.push(b'"');
    hex(out, high >> 32, 8);
    out.push(b'-');
    hex(out, high >> 16, 4);
    out.extend_from_slice(b"-4");
    hex(out, high, 3);
    out.push(b'-');
    hex(out, low >> 62 | 8, 1);
    hex(out, low >> 48, 3);
    out.push(b'-');
    hex(out, low, 12);
    out.push(b'"');
}

/// Writes a time in quotes: `"2025-10-02T00:45:23.123456+00:00"`.
#[inline]
pub(crate) fn iso(out: &mut Vec<u8>, time: Time) {
    let mut text = *b"\"0000-00-00T00:00:00.000000+00:00\"";
    calendar(&mut text, time);
    number(&mut text, 27, 6, time.micros().rem_euclid(1_000_000));
    out.extend_from_slice(&text);
}

/// Writes a time in quotes, to the second and without a zone: `"2025-10-02 00:45:23"`.
#[inline]
pub(crate) fn naive(out: &mut Vec<u8>, time: Time) {
    let mut text = *b"\"0000-00-00 00:00:00\"";
    calendar(&mut text, time);
    out.extend_from_slice(&text);
}

/// Fills in year to second, in the places that [`iso`] and [`naive`] share.
#[inline]
fn calendar(text: &mut [u8], time: Time) {
    const DAY: i64 = 86_400_000_000;
    let (year, month, date) = civil(time.micros().div_euclid(DAY));
    let seconds = time.micros().rem_euclid(DAY) / 1_000_000;
    number(text, 5, 4, year);
    number(text, 8, 2, month);
    number(text, 11, 2, date);
    number(text, 14, 2, seconds / 3_600);
    number(text, 17, 2, seconds / 60 % 60);
    number(text, 20, 2, seconds % 60);
}

/// Fills in a number of so many digits that ends before a place.
#[inline]
fn number(text: &mut [u8], end: usize, width: usize, mut number: i64) {
    for digit in text[end - width..end].iter_mut().rev() {
        *digit = b'0' + (number % 10) as u8;
        number /= 10;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = vec![];
        write(&mut out);
        String::from_utf8(out).unwrap()
    }

    fn document(fault: Option<Fault>, bits: u64) -> String {
        written(|out| {
            let mut document = Document::new(out, fault, bits);
            document.plain("a", "é");
            document.number("b", 12);
            document.time("t", Time::from_micros(1));
            document.end();
        })
    }

    #[test]
    fn numbers_and_times_have_their_digits() {
        assert_eq!(written(|out| digits(out, 0)), "0");
        assert_eq!(written(|out| digits(out, u64::MAX)), u64::MAX.to_string());
        assert_eq!(written(|out| padded(out, 42, 5)), "00042");
        assert_eq!(written(|out| padded(out, 123, 2)), "123");
        assert_eq!(written(|out| hex(out, 0xabcd, 3)), "bcd");
        for micros in [0, -1, 951_782_399_999_999, 1_760_000_000_123_456] {
            let time = Time::from_micros(micros);
            let expect = format!("\"{}\"", time.to_string().replace('Z', "+00:00"));
            assert_eq!(written(|out| iso(out, time)), expect);
            let naive = written(|out| naive(out, time));
            assert_eq!(naive[1..20], expect[1..20].replace('T', " "));
        }
    }

    #[test]
    fn escapes_are_those_of_json() {
        let text = "a\"b\\c\n\u{1}é";
        let back: String = serde_json::from_str(&format!("\"{}\"", escaped(text))).unwrap();
        assert_eq!(back, text);
    }

    #[test]
    fn a_fault_shows_as_it_should() {
        const TIME: &str = "\"t\":\"1970-01-01T00:00:00.000001+00:00\"";
        assert_eq!(document(None, 0), format!("{{\"a\":\"é\",\"b\":12,{TIME}}}"));
        let null = |bits| document(Some(Fault::NullField), bits);
        assert_eq!(null(0), format!("{{\"a\":null,\"b\":12,{TIME}}}"));
        assert_eq!(null(1), format!("{{\"a\":\"é\",\"b\":null,{TIME}}}"));
        let timeless = |bits| document(Some(Fault::NoTime), bits);
        assert_eq!(timeless(0), "{\"a\":\"é\",\"b\":12}");
        assert_eq!(timeless(1), "{\"a\":\"é\",\"b\":12,\"t\":null}");
        assert_eq!(timeless(2), "{\"a\":\"é\",\"b\":12,\"t\":\"not a time\"}");
        for bits in 0..200 {
            let bad = document(Some(Fault::BadJson), bits);
            assert!(!bad.is_empty());
            assert!(serde_json::from_str::<serde_json::Value>(&bad).is_err(), "{bad}");
        }
    }
}
