//! The table of documents that are not one clean object, for every wire type.

use highwater::codec::{BadDocument, Options, WrongType};
use highwater::letter::Reason;

use super::wire::{Kind, Outcome, TYPES, Type, plain};

/// What a record becomes.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Becomes {
    /// The event of the good document, so many times.
    Good(usize),
    /// A row of NULLs.
    Nulls,
    /// A dead letter.
    Letter(Reason),
}

use Becomes::{Good, Letter, Nulls};

fn null_row() -> Options {
    Options { errors: BadDocument::NullRow, ..plain() }
}

fn becomes(one: &Type, outcome: &Outcome) -> Becomes {
    let good = one.decode(&one.document(), &plain()).events.remove(0);
    let nulls = one.decode("{}", &plain()).events.remove(0);
    match &outcome.result {
        Err(reject) => Letter(reject.reason),
        Ok(1) if outcome.events[0] == nulls => Nulls,
        Ok(count) => {
            assert!(outcome.events.iter().all(|event| *event == good), "{outcome:?}");
            assert!(outcome.rejects.is_empty(), "{outcome:?}");
            Good(*count)
        }
    }
}

fn check_bytes(one: &Type, record: Option<&[u8]>, default: Becomes, spark: Becomes) {
    for (options, expected) in [(plain(), default), (null_row(), spark)] {
        let outcome = one.decode_bytes(record, &options);
        let text = record.map(|record| String::from_utf8_lossy(record).into_owned());
        let found = becomes(one, &outcome);
        assert_eq!(found, expected, "{}, {:?}: {text:?}", one.name, options.errors);
    }
}

/// Checks a record made of the good document of every wire type.
fn check(record: impl Fn(&Type, &str) -> String, default: Becomes, spark: Becomes) {
    for one in TYPES {
        let record = record(one, &one.document());
        check_bytes(one, Some(record.as_bytes()), default, spark);
    }
}

#[test]
fn what_is_no_json_is_a_letter_or_a_row_of_nulls() {
    let bad = |record: fn(&Type, &str) -> String| check(record, Letter(Reason::BadJson), Nulls);
    bad(|_, good| good[..good.len() - 1].into());
    bad(|_, good| good[..good.len() / 2].into());
    bad(|one, good| good.replace(&format!("\"{}\":", one.fields[0].0), &unquoted(one)));
    bad(|one, _| one.document_with("\"unread\":\"a\u{1}b\",", |_, _| None));
    bad(|one, _| one.document_with("", |at, _| (at == 0).then(|| "\"a\nb\"".into())));
    bad(|_, good| format!("// a comment\n{good}"));
    bad(|_, good| format!("/* a comment */ {good}"));
    bad(|_, _| "hello".into());
    bad(|_, _| "{".into());
    bad(|_, good| format!("[{good},"));
}

fn unquoted(one: &Type) -> String {
    format!("{}:", one.fields[0].0)
}

#[test]
fn what_is_json_but_no_object_is_a_letter_or_a_row_of_nulls() {
    for text in ["", " ", " \r\n\t", "null", "5", "-5.5e3", "\"text\"", "\"{}\"", "true", "[]"] {
        check(|_, _| text.into(), Letter(Reason::NotAnObject), Nulls);
    }
}

#[test]
fn what_spark_accepts_beyond_json_is_a_letter_or_the_event() {
    let bad = |record: fn(&Type, &str) -> String| check(record, Letter(Reason::BadJson), Good(1));
    bad(|_, good| good.replace('"', "'"));
    bad(|_, good| format!("{good} trailing"));
    bad(|_, good| format!("{good}{good}"));
    bad(|_, good| format!("{good}}}"));
}

#[test]
fn white_space_around_an_object_and_unknown_fields_change_nothing() {
    let good = |record: fn(&Type, &str) -> String| check(record, Good(1), Good(1));
    good(|_, good| good.into());
    good(|_, good| format!("{good}\n"));
    good(|_, good| format!(" \t{good} \r\n"));
    good(|one, _| {
        let unread = "\"unread\":{\"a\":[1,\"x\",null,{}],\"timestamp\":[]},\"\":0,";
        one.document_with(unread, |_, _| None)
    });
    // Names are case-sensitive.
    good(|one, _| {
        let shouted = format!("\"{}\":false,", one.fields[0].0.to_uppercase());
        one.document_with(&shouted, |_, _| None)
    });
    good(|one, _| one.document_with("\"unread\":\"\\ud800 \\udc00\",", |_, _| None));
    good(|one, _| one.document_with("\"unread\":[NaN,-Infinity,1e400,-0],", |_, _| None));
}

#[test]
fn a_byte_order_mark_is_skipped_or_makes_a_row_of_nulls() {
    check(|_, good| format!("\u{feff}{good}"), Good(1), Nulls);
}

#[test]
fn of_a_name_that_occurs_twice_the_last_value_wins() {
    let twice = |one: &Type, first: &str| {
        let each = one.fields.iter().map(|(name, _)| format!("\"{name}\":{first},"));
        one.document_with(&each.collect::<String>(), |_, _| None)
    };
    for first in ["null", "{}", "[{}]", "NaN", "\"first\""] {
        check(|one, _| twice(one, first), Good(1), Good(1));
        for one in TYPES {
            let strict = Options { types: WrongType::Reject, ..plain() };
            let outcome = one.decode(&twice(one, first), &strict);
            assert_eq!(becomes(one, &outcome), Good(1), "{}", one.name);
            assert!(outcome.counted.is_empty(), "{}: {:?}", one.name, outcome.counted);
        }
    }
}

#[test]
fn a_lone_surrogate_is_replaced_in_every_text() {
    for one in TYPES {
        for (index, (name, kind)) in one.fields.iter().enumerate() {
            if !matches!(kind, Kind::Text | Kind::Word | Kind::Id | Kind::Texts) {
                continue;
            }
            let value = kind.sample(index).replace("sample", "\\ud800\\ud83d\\ude00");
            let record = one.document_with("", |at, _| (at == index).then(|| value.clone()));
            for (options, mark) in [(plain(), "\u{fffd}"), (null_row(), "?")] {
                let good = one.decode(&one.document(), &options).events.remove(0);
                let shown = kind.shown(index);
                let outcome = one.decode(&record, &options);
                let replaced = shown.replace("sample", &format!("{mark}😀"));
                let expected = good.replacen(&shown, &replaced, 1);
                assert_eq!(outcome.events, [expected], "{}.{name}", one.name);
            }
        }
    }
}

#[test]
fn invalid_utf8_is_a_letter() {
    for one in TYPES {
        for bytes in [&b"\xff"[..], b"\xed\xa0\x80", b"\xc3"] {
            let mut record = one.document().into_bytes();
            let at = record.len() - 1;
            record.splice(at..at, [b",\"unread\":\"", bytes, b"\""].concat());
            let letter = Letter(Reason::BadUtf8);
            check_bytes(one, Some(&record), letter, letter);
        }
    }
}

#[test]
fn a_tombstone_is_a_letter_or_a_row_of_nulls() {
    TYPES.iter().for_each(|one| check_bytes(one, None, Letter(Reason::Tombstone), Nulls));
}

#[test]
fn every_element_of_an_array_is_an_event() {
    for one in TYPES {
        let good = one.document();
        // For Spark such a record is a row of NULLs, unless the job reads arrays.
        let spark = |events| if one.is_array { Good(events) } else { Nulls };
        check_bytes(one, Some(format!("[{good}]").as_bytes()), Good(1), spark(1));
        check_bytes(one, Some(format!("[{good},{good} ]\n").as_bytes()), Good(2), spark(2));
    }
}

#[test]
fn an_element_that_is_no_object_falls_alone() {
    for one in TYPES {
        let good = one.document();
        let record = format!("[1,{good},[{good}],null,{good},\"x\"]");
        let outcome = one.decode(&record, &plain());
        assert_eq!(outcome.result, Ok(2), "{}", one.name);
        let rejects = outcome.rejects.iter().map(|(element, reject)| (*element, reject.reason));
        let expected = [0, 2, 3, 5].map(|element| (element, Reason::NotAnObject));
        assert_eq!(rejects.collect::<Vec<_>>(), expected, "{}", one.name);
        let count = if one.is_array { 6 } else { 1 };
        assert_eq!(one.decode(&record, &null_row()).result, Ok(count), "{}", one.name);
    }
}

#[test]
fn a_record_above_the_limit_is_too_large() {
    for one in TYPES {
        let good = one.document();
        for (errors, bytes) in [plain(), null_row()].into_iter().zip([good.len(), good.len() + 7]) {
            let options = Options { message_bytes_max: bytes, ..errors };
            let padded = |more: usize| good.clone() + &" ".repeat(bytes - good.len() + more);
            assert_eq!(becomes(one, &one.decode(&padded(0), &options)), Good(1));
            let letter = Letter(Reason::TooLarge);
            assert_eq!(becomes(one, &one.decode(&padded(1), &options)), letter, "{}", one.name);
        }
    }
    let large = format!("{{\"unread\":\"{}\"}}", "x".repeat(1 << 20));
    let letter = Letter(Reason::TooLarge);
    check(|_, _| large.clone(), letter, letter);
}

#[test]
fn nesting_is_limited_in_every_field_and_in_those_that_nobody_reads() {
    // The object around it is the first level.
    let nested = |depth: usize| "[".repeat(depth - 1) + &"]".repeat(depth - 1);
    let letter = Letter(Reason::TooDeep);
    for depth in [65, 128, 10_000] {
        let unread = format!("\"unread\":{},", nested(depth));
        check(|one, _| one.document_with(&unread, |_, _| None), letter, letter);
        for one in TYPES {
            for index in 0..one.fields.len() {
                let record = one.document_with("", |at, _| (at == index).then(|| nested(depth)));
                check_bytes(one, Some(record.as_bytes()), letter, letter);
            }
        }
    }
    let unread = format!("\"unread\":{},", nested(64));
    check(|one, _| one.document_with(&unread, |_, _| None), Good(1), Good(1));
}
