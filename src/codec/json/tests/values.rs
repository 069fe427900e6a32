//! The table of values: every kind of JSON value in a field of every type.

use super::*;

/// What a value becomes, by type; `None` is NULL.
#[derive(Default)]
struct Row {
    text: Option<&'static str>,
    i32: Option<i32>,
    i64: Option<i64>,
    f64: Option<f64>,
    bool: Option<bool>,
    list: Option<Vec<Option<&'static str>>>,
    numbers: Option<Vec<Option<i32>>>,
    /// In microseconds, as Spark reads it and with the extended forms.
    time: [Option<i64>; 2],
}

/// Decodes a value under each type and compares; NULLs must be counted, unless the value is one.
fn check(value: &str, expect: Row) {
    let texts = |list: Vec<Option<&str>>| list.into_iter().map(|t| t.map(Text::from)).collect();
    let list: Option<Vec<Option<Text>>> = expect.list.map(texts);
    one(value, "text", expect.text.map(Text::from), |all| all.text);
    one(value, "i32", expect.i32, |all| all.i32);
    one(value, "i64", expect.i64, |all| all.i64);
    one(value, "f64", expect.f64.map(f64::to_bits), |all| all.f64.map(f64::to_bits));
    one(value, "bool", expect.bool, |all| all.bool);
    one(value, "list", list, |all| all.list);
    one(value, "numbers", expect.numbers, |all| all.numbers);
    for (extended_times, micros) in [false, true].into_iter().zip(expect.time) {
        let options = Options { extended_times, ..plain() };
        let (all, _) = event::<All>(&format!(r#"{{"time":{value}}}"#), &options);
        assert_eq!(all.time.map(Time::micros), micros, "{value} as time, {extended_times}");
    }
}

/// One cell of the table; the fields around it must be left intact.
fn one<T: PartialEq + std::fmt::Debug>(
    value: &str,
    field: &str,
    expect: Option<T>,
    get: fn(All) -> Option<T>,
) {
    let document = format!(r#"{{"levels":[],"{field}":{value},"millis":7}}"#);
    let (all, counted) = event::<All>(&document, &plain());
    let others = (all.levels.is_some(), all.millis);
    assert_eq!(others, (true, Some(Time::from_millis(7))), "{document}");
    let is_wrong = value != "null" && expect.is_none();
    assert_eq!(get(all), expect, "{value} as {field}");
    if !matches!(field, "list" | "numbers") || expect.is_none() {
        let expect = if is_wrong { vec![format!("{field} 1")] } else { vec![] };
        assert_eq!(counted, expect, "{value} as {field}");
        let (strict, ..) = outcome::<All>(Some(document.as_bytes()), &strict());
        let reason = strict.err().map(|reject| (reject.reason, reject.detail.contains(field)));
        assert_eq!(reason, is_wrong.then_some((Reason::WrongType, true)), "{value} as {field}");
    }
}

#[test]
fn null_is_null() {
    check("null", Row::default());
}

#[test]
fn absent_is_null() {
    assert_eq!(event::<All>("{}", &plain()), (All::default(), vec![]));
}

#[test]
fn truth_values() {
    check("true", Row { text: Some("true"), bool: Some(true), ..Row::default() });
    check("false", Row { text: Some("false"), bool: Some(false), ..Row::default() });
}

#[test]
fn whole_numbers() {
    let row = |text, n: i32| Row {
        text: Some(text),
        i32: Some(n),
        i64: Some(n.into()),
        f64: Some(n.into()),
        time: [Some(i64::from(n) * 1_000_000); 2],
        ..Row::default()
    };
    check("5", row("5", 5));
    check("-5", row("-5", -5));
    check("0", row("0", 0));
    check("2147483647", row("2147483647", i32::MAX));
}

#[test]
fn minus_zero_is_a_whole_number_without_a_point() {
    for field in ["i32", "i64", "text", "f64"] {
        let (all, counted) = event::<All>(&format!(r#"{{"{field}":-0}}"#), &plain());
        let found = (all.i32, all.i64, all.text.as_deref(), all.f64.map(|n| n == 0.0));
        let expect = match field {
            "i32" => (Some(0), None, None, None),
            "i64" => (None, Some(0), None, None),
            "text" => (None, None, Some("0"), None),
            _ => (None, None, None, Some(true)),
        };
        assert_eq!((found, counted.len()), (expect, 0), "{field}");
    }
}

#[test]
fn floats() {
    let row = |text, n| Row { text: Some(text), f64: Some(n), ..Row::default() };
    check("5.5", row("5.5", 5.5));
    check("1e3", row("1000.0", 1000.0));
    check("-0.0", row("-0.0", -0.0));
    check("5.0", row("5.0", 5.0));
    check("1E8", row("1.0E8", 1e8));
    check("1e20", row("1.0E20", 1e20));
    check("1e-400", row("0.0", 0.0));
}

#[test]
fn large_whole_numbers() {
    let row = |text, n| Row { text: Some(text), f64: Some(n), ..Row::default() };
    check(
        "9999999999",
        Row {
            i64: Some(9_999_999_999),
            time: [Some(9_999_999_999_000_000); 2],
            ..row("9999999999", 9.999999999e9)
        },
    );
    let check_i64 = |value: &'static str, n: i64, extended| {
        check(value, Row { i64: Some(n), time: [None, extended], ..row(value, n as f64) });
    };
    check_i64("1759365923000", 1_759_365_923_000, Some(1_759_365_923_000_000));
    check_i64("9223372036854775807", i64::MAX, Some(9_223_372_036_854_775));
    check_i64("-9223372036854775808", i64::MIN, Some(-9_223_372_036_854_776));
    check("18446744073709551615", row("18446744073709551615", 18446744073709551615.0));
    check("18446744073709551616", row("18446744073709551616", 18446744073709551616.0));
    check("-9223372036854775809", row("-9223372036854775809", -9223372036854775809.0));
}

#[test]
fn texts() {
    let row = |text| Row { text: Some(text), ..Row::default() };
    check(r#""5""#, row("5"));
    check(r#""5.5""#, row("5.5"));
    check(r#""true""#, row("true"));
    check(r#""""#, row(""));
    check(r#""a \"b\" \u00e9 \ud83d\ude00 \n""#, row("a \"b\" é 😀 \n"));
    let time = [Some(1_000_000); 2];
    check(r#""1970-01-01 00:00:01""#, Row { time, ..row("1970-01-01 00:00:01") });
    check(r#""1970-01-01T00:00:01\u005a""#, Row { time, ..row("1970-01-01T00:00:01Z") });
}

#[test]
fn the_text_nan_is_no_number() {
    for text in ["NaN", "Infinity", "-Infinity"] {
        check(&format!("\"{text}\""), Row { text: Some(text), ..Row::default() });
    }
}

#[test]
fn the_text_nan_is_a_number_where_spark_is_to_be_matched() {
    let options = Options { keep_nan: true, ..plain() };
    for (value, expect) in [
        (r#""NaN""#, f64::NAN),
        (r#""Infinity""#, f64::INFINITY),
        (r#""-Infinity""#, f64::NEG_INFINITY),
        ("NaN", f64::NAN),
        ("-Infinity", f64::NEG_INFINITY),
        ("1e400", f64::INFINITY),
    ] {
        let (all, counted) = event::<All>(&format!(r#"{{"f64":{value}}}"#), &options);
        assert_eq!(all.f64.map(f64::to_bits), Some(expect.to_bits()), "{value}");
        assert!(counted.is_empty());
    }
    let (all, counted) = event::<All>(r#"{"f64":"inf"}"#, &options);
    assert_eq!((all.f64, counted), (None, vec!["f64 1".to_owned()]));
}

#[test]
fn bare_tokens_and_numbers_beyond_a_float_are_null() {
    for value in ["NaN", "Infinity", "-Infinity", "1e400", "-1e400"] {
        check(value, Row::default());
        let (all, counted) = event::<All>(&format!(r#"{{"x":{value},"text":"NaN"}}"#), &plain());
        assert_eq!((all.text.as_deref(), counted.len()), (Some("NaN"), 0));
    }
}

#[test]
fn objects() {
    let row = |text| Row { text: Some(text), ..Row::default() };
    check(r#"{"a":1}"#, row(r#"{"a":1}"#));
    check(
        r#" { "b" : [ 1e3 , { } ] , "a" : null , "b":true } "#,
        row(r#"{"b":[1000.0,{}],"a":null,"b":true}"#),
    );
    check(
        r#"{"\u00e9\n":"\"\\\/\u0001\u001f\b\f\r\t"}"#,
        row(r#"{"é\n":"\"\\/\u0001\u001F\b\f\r\t"}"#),
    );
    check(
        r#"{"a":[NaN,-0,-0.0,18446744073709551616,1e400]}"#,
        row(r#"{"a":[null,0,-0.0,18446744073709551616,null]}"#),
    );
}

#[test]
fn arrays() {
    let numbers = Some(vec![Some(1), Some(2)]);
    let list = Some(vec![Some("1"), Some("2")]);
    check("[1,2]", Row { text: Some("[1,2]"), list, numbers, ..Row::default() });
    let list = Some(vec![Some("x"), None]);
    let numbers = Some(vec![None, None]);
    check(r#"["x",null]"#, Row { text: Some(r#"["x",null]"#), list, numbers, ..Row::default() });
    let (list, numbers) = (Some(vec![]), Some(vec![]));
    check("[ ]", Row { text: Some("[]"), list, numbers, ..Row::default() });
    let list = Some(vec![Some("[1]"), Some(r#"{"a":1}"#), Some("true"), Some("1.0")]);
    let numbers = Some(vec![None; 4]);
    let text = Some(r#"[[1],{"a":1},true,1.0]"#);
    check(r#"[[1],{"a":1},true,1.0]"#, Row { text, list, numbers, ..Row::default() });
}

#[test]
fn elements_of_the_wrong_type_count_once_for_their_list() {
    let (all, counted) = event::<All>(r#"{"numbers":[1,"x",2.5,null]}"#, &plain());
    assert_eq!(all.numbers, Some(vec![Some(1), None, None, None]));
    assert_eq!(counted, ["numbers 1"]);
}

#[test]
fn milliseconds() {
    for (value, expect) in [
        ("1759365923001", Some(1_759_365_923_001_000)),
        (r#""1759365923001""#, Some(1_759_365_923_001_000)),
        (r#"" 12.7 ""#, Some(12_000)),
        ("12.7", Some(12_000)),
        (r#""x""#, None),
        ("true", None),
        ("[1]", None),
        ("9223372036854775807", None),
    ] {
        let (all, counted) = event::<All>(&format!(r#"{{"millis":{value}}}"#), &strict());
        assert_eq!(all.millis.map(Time::micros), expect, "{value}");
        assert_eq!(counted, [""; 0], "{value} is a text, whatever it says");
    }
}

#[test]
fn a_time_in_a_text_is_read_from_the_text_of_any_value() {
    let check = |value: &str, spark: Option<i64>, extended: Option<i64>| {
        for (extended_times, micros) in [(false, spark), (true, extended)] {
            let options = Options { extended_times, ..strict() };
            let (all, counted) = event::<All>(&format!(r#"{{"moment":{value}}}"#), &options);
            assert_eq!(all.moment.map(Time::micros), micros, "{value}, {extended_times}");
            assert_eq!(counted, [""; 0], "{value}");
        }
    };
    check(r#""1970-01-01 00:00:01""#, Some(1_000_000), Some(1_000_000));
    check("1759365923", None, Some(1_759_365_923_000_000));
    check("1759365923001", None, Some(1_759_365_923_001_000));
    // Four digits are a year, as they are in quotes.
    check("1970", Some(0), Some(0));
    for value in ["5", "-1759365923", "5.5", "true", r#""soon""#, "{}", "[1970]", "null"] {
        check(value, None, None);
    }
}

#[test]
fn lists_of_objects() {
    let text = r#"{"levels":[{"price":1},{"size":2,"price":"x"},5,{"price":3.5}],"price":"x"}"#;
    let (all, counted) = event::<All>(text, &plain());
    let prices: Vec<_> = all.levels.into_iter().flatten().map(|level| level.price).collect();
    assert_eq!(prices, [Some(1.0), None, Some(3.5)]);
    assert_eq!(counted, ["levels 1", "levels.price 1"]);
    let again = text.replace(r#","price":"x"}"#, r#","levels":[]}"#);
    assert_eq!(event::<All>(&again, &plain()).1, [""; 0], "the last value wins");
}

#[test]
fn an_object_within_an_object() {
    let check = |value: &str, expect: Option<Level>, wrong: &[&str]| {
        let text = format!(r#"{{"level":{value},"i64":7}}"#);
        let (all, counted) = event::<All>(&text, &plain());
        assert_eq!((all.level, all.i64), (expect, Some(7)), "{value}");
        assert_eq!(counted, wrong, "{value}");
    };
    let level = |price| Some(Level { price });
    check(r#"{"size":[2],"price":1.5}"#, level(Some(1.5)), &[]);
    check("{}", level(None), &[]);
    check(r#"{"price":"x"}"#, level(None), &["level.price 1"]);
    check("null", None, &[]);
    check(r#"[{"price":1.5}]"#, None, &["level 1"]);
    check("5", None, &["level 1"]);
}
