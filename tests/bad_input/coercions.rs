//! The table of coercions: every kind of JSON value in every field of every wire type.
//!
//! A value goes into one field of a document whose other fields are good. The event must be that
//! of the good document but for this field; NULLs are counted under its name, or, with strict
//! types, the record is refused.

use highwater::codec::{BadDocument, Options, WrongType, timestamp};
use highwater::letter::Reason;
use highwater::time::Time;

use super::wire::{Kind, TYPES, Type, plain};

/// What a value is, by type; `None` is NULL.
struct Row {
    json: &'static str,
    text: Option<&'static str>,
    /// A whole number of 64 bits.
    whole: Option<i64>,
    f64: Option<f64>,
    bool: Option<bool>,
    texts: Option<&'static [Option<&'static str>]>,
    i32s: Option<&'static [Option<i32>]>,
    /// What its text says, where that is to be a number.
    number: Option<f64>,
    /// What its text says, where that is to be milliseconds.
    millis: Option<i64>,
}

/// A value that is NULL for all types.
const NULL: Row = Row {
    json: "null",
    text: None,
    whole: None,
    f64: None,
    bool: None,
    texts: None,
    i32s: None,
    number: None,
    millis: None,
};

const fn text(json: &'static str, text: &'static str) -> Row {
    Row { json, text: Some(text), ..NULL }
}

const fn whole(json: &'static str, whole: i64) -> Row {
    let float = Some(whole as f64);
    let millis = Some(whole);
    Row { whole: Some(whole), f64: float, number: float, millis, ..text(json, json) }
}

const fn float(json: &'static str, java: &'static str, float: f64, millis: i64) -> Row {
    Row { f64: Some(float), number: Some(float), millis: Some(millis), ..text(json, java) }
}

const TABLE: &[Row] = &[
    NULL,
    Row { bool: Some(true), ..text("true", "true") },
    whole("5", 5),
    float("5.5", "5.5", 5.5, 5),
    float("1e3", "1000.0", 1000.0, 1000),
    float("-0.0", "-0.0", -0.0, 0),
    whole("9999999999", 9_999_999_999),
    Row { number: Some(5.0), millis: Some(5), ..text("\"5\"", "5") },
    Row { number: Some(5.5), millis: Some(5), ..text("\"5.5\"", "5.5") },
    Row { number: Some(0.5), ..text("\".5\"", ".5") },
    Row { number: Some(12.0), millis: Some(12), ..text("\" 12 \"", " 12 ") },
    Row { number: Some(12.7), millis: Some(12), ..text("\"12.7\"", "12.7") },
    text("\"abc\"", "abc"),
    text("\"true\"", "true"),
    text("\"\"", ""),
    text("\"NaN\"", "NaN"),
    text("\"Infinity\"", "Infinity"),
    text("\"-Infinity\"", "-Infinity"),
    text("{\"a\":1}", "{\"a\":1}"),
    Row {
        texts: Some(&[Some("1"), Some("2")]),
        i32s: Some(&[Some(1), Some(2)]),
        ..text("[1,2]", "[1,2]")
    },
    Row {
        texts: Some(&[Some("x"), None]),
        i32s: Some(&[None, None]),
        ..text("[\"x\",null]", "[\"x\",null]")
    },
    // Bare tokens and numbers beyond a float are taken as NULL and counted, whatever the type.
    Row { json: "NaN", ..NULL },
    Row { json: "Infinity", ..NULL },
    Row { json: "-Infinity", ..NULL },
    Row { json: "1e400", ..NULL },
];

impl Row {
    /// What `Debug` shows of a field with this value.
    fn shown(&self, kind: Kind, options: &Options) -> String {
        let extended = options.extended_times;
        let in_text = |text: &str| timestamp::parse(text, &options.naive_tz, extended);
        match kind {
            Kind::Text => format!("{:?}", self.text),
            Kind::Word => self.of_text(|text| format!("Some(Other({text:?}))")),
            Kind::Id => self.of_text(|text| format!("Given({text:?})")),
            Kind::Number => self.of_text(|_| format!("Some(Number({:?}))", self.number)),
            Kind::I32 => format!("{:?}", self.whole.and_then(|n| i32::try_from(n).ok())),
            Kind::F64 => format!("{:?}", self.f64),
            Kind::Bool => format!("{:?}", self.bool),
            Kind::Texts => format!("{:?}", self.texts),
            Kind::I32s => format!("{:?}", self.i32s),
            Kind::Time => format!("{:?}", self.whole.map(Time::from_seconds)),
            Kind::TextTime => format!("{:?}", self.text.and_then(in_text)),
            Kind::WrittenTime => self
                .of_text(|text| format!("Some(WrittenTime(Other({:?}, {text:?})))", in_text(text))),
            Kind::TextMillis => format!("{:?}", self.millis.map(Time::from_millis)),
            Kind::Millis => format!("{:?}", self.whole.map(Time::from_millis)),
            Kind::Magnitude => format!("{:?}", self.whole.map(Time::from_seconds)),
            // None of the elements is an object.
            Kind::Levels => format!("{:?}", self.texts.map(|_| [0; 0])),
        }
    }

    fn of_text(&self, shown: impl Fn(&str) -> String) -> String {
        self.text.map_or_else(|| "None".into(), shown)
    }

    /// Whether the value has the wrong type.
    fn is_wrong(&self, kind: Kind) -> bool {
        let is_null = match kind {
            _ if kind.is_text() => self.text.is_none(),
            Kind::I32 => self.whole.is_none_or(|n| i32::try_from(n).is_err()),
            Kind::F64 => self.f64.is_none(),
            Kind::Bool => self.bool.is_none(),
            Kind::Texts => self.texts.is_none(),
            // An element of the wrong type counts for its list; a NULL among them is none.
            Kind::I32s => self.i32s.is_none_or(|list| list.first() == Some(&None)),
            Kind::Levels => true,
            _ => self.whole.is_none(),
        };
        is_null && self.json != "null"
    }
}

fn check(one: &Type, index: usize, row: &Row, options: &Options) {
    let (name, kind) = one.fields[index];
    let good = one.decode(&one.document(), options).events.remove(0);
    let record = one.document_with("", |at, _| (at == index).then(|| row.json.into()));
    let place = format!("{}.{name} = {}, {options:?}", one.name, row.json);

    let outcome = one.decode(&record, options);
    assert_eq!(outcome.result, Ok(1), "{place}");
    let expected = good.replacen(&kind.shown(index), &row.shown(kind, options), 1);
    assert_eq!(outcome.events, [expected], "{place}");
    let counted: Vec<_> = outcome.counted.iter().map(|(field, n)| (field.as_str(), *n)).collect();
    let expected = if row.is_wrong(kind) { vec![(name, 1)] } else { vec![] };
    assert_eq!(counted, expected, "{place}");

    let strict = Options { types: WrongType::Reject, ..options.clone() };
    let refused = one.decode(&record, &strict).result.err();
    let refused = refused.map(|reject| (reject.reason, reject.detail.contains(name)));
    assert_eq!(refused, row.is_wrong(kind).then_some((Reason::WrongType, true)), "{place}");
}

fn for_each_field(mut what: impl FnMut(&Type, usize)) {
    for one in TYPES {
        (0..one.fields.len()).for_each(|index| what(one, index));
    }
}

#[test]
fn every_kind_of_value_in_every_field_is_what_the_table_says() {
    for errors in [BadDocument::DeadLetter, BadDocument::NullRow] {
        for extended_times in [true, false] {
            let options = Options { errors, extended_times, ..plain() };
            for_each_field(|one, index| {
                TABLE.iter().for_each(|row| check(one, index, row, &options));
            });
        }
    }
}

#[test]
fn a_field_that_is_absent_is_null_and_not_counted() {
    for_each_field(|one, index| {
        let absent = one.document_with("", |at, _| (at == index).then(String::new));
        let null = one.document_with("", |at, _| (at == index).then(|| "null".into()));
        let (absent, null) = (one.decode(&absent, &plain()), one.decode(&null, &plain()));
        assert_eq!(absent.events, null.events, "{}", one.name);
        assert!(absent.counted.is_empty(), "{}", one.name);
    });
}

#[test]
fn nan_is_a_number_of_a_number_field_where_spark_is_to_be_matched() {
    let options = Options { keep_nan: true, ..plain() };
    let values = [
        ("\"NaN\"", "NaN"),
        ("\"Infinity\"", "inf"),
        ("\"-Infinity\"", "-inf"),
        ("NaN", "NaN"),
        ("-Infinity", "-inf"),
        ("1e400", "inf"),
    ];
    let mut checked = 0;
    for_each_field(|one, index| {
        if one.fields[index].1 != Kind::F64 {
            return;
        }
        for (value, shown) in values {
            let good = one.decode(&one.document(), &options).events.remove(0);
            let record = one.document_with("", |at, _| (at == index).then(|| value.into()));
            let outcome = one.decode(&record, &options);
            let expected = good.replacen(&Kind::F64.shown(index), &format!("Some({shown})"), 1);
            assert_eq!(outcome.events, [expected], "{}: {record}", one.name);
            assert!(outcome.counted.is_empty(), "{}: {record}", one.name);
            checked += 1;
        }
    });
    assert!(50 < checked, "{checked} cells");
}

#[test]
fn values_of_the_wrong_type_in_all_fields_at_once_are_counted_one_by_one() {
    for one in TYPES {
        let wrong = |kind: Kind| if kind.is_text() { "NaN" } else { "{}" };
        let record = one.document_with("", |at, _| Some(wrong(one.fields[at].1).into()));
        let outcome = one.decode(&record, &plain());
        assert_eq!(outcome.result, Ok(1), "{record}");
        let names: Vec<&str> = outcome.counted.keys().map(String::as_str).collect();
        let mut expected: Vec<&str> = one.fields.iter().map(|(name, _)| *name).collect();
        expected.sort_unstable();
        assert_eq!(names, expected, "{record}");
        assert!(outcome.counted.values().all(|count| *count == 1), "{record}");
    }
}
