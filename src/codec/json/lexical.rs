//! The text of a document, looked at before it is parsed and after the parser has refused it.

use serde::de::IgnoredAny;

/// Begins the text that [`repair`] makes of a bare token; the character is none of any language,
/// and means something only in a repaired document.
pub(super) const MARK: char = '\u{fdd0}';

/// Whether objects and arrays are nested deeper than the limit.
///
/// Nearly all documents have fewer opening brackets than the limit; no more is known of those.
pub(super) fn is_deeper(text: &str, limit: usize, single_quotes: bool) -> bool {
    opening(text.as_bytes()) > limit && depth(text.as_bytes(), single_quotes) > limit
}

/// How many opening brackets there are, in texts too.
fn opening(bytes: &[u8]) -> usize {
    // Counted in bytes, which is what makes the loop wide; the two brackets differ in one bit.
    let count = |chunk: &[u8]| {
        let is_opening = |byte: &u8| u8::from(byte & !0x20 == b'[');
        chunk.iter().map(is_opening).fold(0u8, u8::wrapping_add)
    };
    bytes.chunks(usize::from(u8::MAX)).map(|chunk| usize::from(count(chunk))).sum()
}

/// The greatest nesting of brackets outside of texts.
fn depth(bytes: &[u8], single_quotes: bool) -> usize {
    let (mut depth, mut deepest, mut at) = (0usize, 0, 0);
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'[' | b'{' => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b']' | b'}' => depth = depth.saturating_sub(1),
            b'"' => at = end_of_text(bytes, at),
            b'\'' if single_quotes => at = end_of_text(bytes, at),
            _ => {}
        }
        at += 1;
    }
    deepest
}

/// The closing quote of the text that opens at `at`, or the end.
fn end_of_text(bytes: &[u8], at: usize) -> usize {
    let quote = bytes[at];
    let mut at = at + 1;
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'\\' => at += 1,
            _ if byte == quote => break,
            _ => {}
        }
        at += 1;
    }
    at
}

/// Whether a token is a whole number.
pub(super) fn is_whole(token: &str) -> bool {
    let digits = token.strip_prefix('-').unwrap_or(token);
    !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
}

/// Makes JSON of what is accepted beyond it, or `None` if there is nothing to repair.
///
/// A lone surrogate becomes U+FFFD. `NaN`, `Infinity`, `-Infinity`, numbers beyond a float and
/// whole numbers beyond 64 bits become texts behind a [`MARK`], and `-0`, which is written as a
/// whole number, becomes `0`. With `spark`, a lone surrogate becomes `?`, and texts may stand in
/// single quotes.
pub(super) fn repair(text: &str, spark: bool) -> Option<String> {
    let mut repair = Repair { text, at: 0, copied: 0, out: String::new(), spark };
    while let Some(&byte) = text.as_bytes().get(repair.at) {
        match byte {
            b'"' => repair.quoted(),
            b'\'' if spark => repair.quoted(),
            b'-' | b'+' | b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' => repair.token(),
            _ => repair.at += 1,
        }
    }
    (repair.copied > 0).then(|| repair.out + &text[repair.copied..])
}

struct Repair<'a> {
    text: &'a str,
    /// The next byte to look at; always the beginning of a character when something is replaced.
    at: usize,
    /// How much of the text is in `out`.
    copied: usize,
    out: String,
    spark: bool,
}

impl Repair<'_> {
    /// Puts something else in the place of the next bytes.
    fn replace(&mut self, length: usize, by: &str) {
        self.out.push_str(&self.text[self.copied..self.at]);
        self.out.push_str(by);
        self.at += length;
        self.copied = self.at;
    }

    /// Passes a text in quotes.
    fn quoted(&mut self) {
        let bytes = self.text.as_bytes();
        let quote = bytes[self.at];
        let single = quote == b'\'';
        if single {
            self.replace(1, "\"")
        } else {
            self.at += 1
        }
        while let Some(&byte) = bytes.get(self.at) {
            match (byte, bytes.get(self.at + 1)) {
                (b'\\', Some(b'u')) => self.escape(),
                (b'\\', Some(b'\'')) if self.spark => self.replace(2, "'"),
                (b'\\', _) => self.at += 2,
                (b'"', _) if single => self.replace(1, "\\\""),
                _ if byte == quote => {
                    if single {
                        self.replace(1, "\"")
                    } else {
                        self.at += 1
                    }
                    return;
                }
                _ => self.at += 1,
            }
        }
    }

    /// Passes an escape of a UTF-16 unit, or the two of a pair.
    fn escape(&mut self) {
        match (unit(self.text, self.at), unit(self.text, self.at + 6)) {
            (Some(0xd800..=0xdbff), Some(0xdc00..=0xdfff)) => self.at += 12,
            (Some(0xd800..=0xdfff), _) => {
                self.replace(6, if self.spark { "?" } else { "\u{fffd}" });
            }
            _ => self.at += 2,
        }
    }

    /// Passes a number or a word.
    fn token(&mut self) {
        let rest = &self.text[self.at..];
        let is_end = |c: char| !c.is_ascii_alphanumeric() && !matches!(c, '+' | '-' | '.');
        let (token, after) = rest.split_at(rest.find(is_end).unwrap_or(rest.len()));
        // As a name the same token is an error, and must stay one.
        let is_name = after.trim_ascii_start().starts_with(':');
        match token {
            _ if is_name => self.at += token.len(),
            "-0" => self.replace(2, "0"),
            _ if is_bare(token) => self.replace(token.len(), &format!("\"{MARK}{token}\"")),
            _ => self.at += token.len(),
        }
    }
}

/// Whether a token is accepted, though the parser cannot take it, or not exactly.
fn is_bare(token: &str) -> bool {
    if let "NaN" | "Infinity" | "-Infinity" = token {
        return true;
    }
    let beyond = if is_whole(token) {
        token.parse::<i64>().is_err() && token.parse::<u64>().is_err()
    } else {
        token.parse::<f64>().is_ok_and(f64::is_infinite)
    };
    // Whatever Rust reads as a number need not be one of JSON: `inf`, `1.`, `007`.
    beyond && serde_json::from_str::<IgnoredAny>(token).is_ok()
}

/// The UTF-16 unit that is escaped at `at`, as in `\u00e9`.
fn unit(text: &str, at: usize) -> Option<u16> {
    let digits = text.get(at..at + 6)?.strip_prefix("\\u")?;
    let sound = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    sound.then(|| u16::from_str_radix(digits, 16).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brackets_in_texts_are_no_depth() {
        let check = |text: &str, single, expect| {
            assert_eq!(depth(text.as_bytes(), single), expect, "{text}");
        };
        check("[{}]", false, 2);
        check("[][]", false, 1);
        check(r#"{"[[[":"\"[[[","x":[]}"#, false, 2);
        check("{'[[':1}", true, 1);
        check("{'[[':1}", false, 3);
        check("]]]]", false, 0);
        check("\"[[\\", false, 0);
    }

    #[test]
    fn all_opening_brackets_are_counted() {
        for count in [0, 1, 254, 255, 256, 1_000] {
            assert_eq!(opening(format!("]}}{}\"", "[{".repeat(count)).as_bytes()), 2 * count);
        }
    }

    #[test]
    fn what_is_sound_is_not_repaired() {
        for text in
            [r#"{"a":-0.0,"b":[1e3,18446744073709551615],"c":"\ud83d\ude00 NaN -0"}"#, "", "é"]
        {
            assert_eq!(repair(text, false), None, "{text}");
            assert_eq!(repair(text, true), None, "{text}");
        }
    }

    #[test]
    fn repairs() {
        let check = |text: &str, spark, expect: &str| {
            let repaired = repair(text, spark).map(|text| text.replace(MARK, "#"));
            assert_eq!(repaired.as_deref(), Some(expect), "{text}");
        };
        check(r#"["\ud800"]"#, false, "[\"\u{fffd}\"]");
        check(r#"["\ude00\ud83d\ude00x"]"#, false, "[\"\u{fffd}\\ud83d\\ude00x\"]");
        check(r#"["\ud83d\ud83d\ude00"]"#, false, "[\"\u{fffd}\\ud83d\\ude00\"]");
        check(r#"["\ud800"]"#, true, r#"["?"]"#);
        check("[NaN,-Infinity,Infinity]", false, r##"["#NaN","#-Infinity","#Infinity"]"##);
        check("[1e400,-1e400,-0]", false, r##"["#1e400","#-1e400",0]"##);
        check("[18446744073709551616]", false, r##"["#18446744073709551616"]"##);
        check(r#"{'a"b':'it\'s','é':''}"#, true, r#"{"a\"b":"it's","é":""}"#);
    }

    #[test]
    fn tokens_that_are_no_json_stay_as_they_are() {
        for text in [
            "[inf]",
            "[01e999]",
            "[NaNs]",
            "[+Infinity]",
            "[1e400.]",
            r#"["\ud8"#,
            "'a'",
            "{NaN :1}",
        ] {
            assert_eq!(repair(text, false), None, "{text}");
        }
    }
}
