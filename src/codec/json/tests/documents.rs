//! The table of documents that are not one clean object; arrays, limits, duplicates, names.

use super::*;

/// A document that is refused, or with `json.errors = "null_row"` a row of NULLs.
fn check_bad(bytes: &[u8], reason: Reason) {
    let text = String::from_utf8_lossy(bytes);
    assert_eq!(refusal(bytes, &plain()).0, reason, "{text}");
    let (result, out, _) = outcome::<All>(Some(bytes), &null_row());
    assert_eq!((result, out.events), (Ok(1), vec![All::default()]), "{text}");
}

fn check_refused_always(bytes: &[u8], reason: Reason, options: Options) {
    assert_eq!(refusal(bytes, &options).0, reason);
    let options = Options { errors: BadDocument::NullRow, ..options };
    assert_eq!(refusal(bytes, &options).0, reason);
}

#[test]
fn what_is_no_json_is_bad_json() {
    for text in [
        r#"{"text":"x""#,
        r#"{"text":"x"#,
        r#"{"text":"#,
        "{text:1}",
        "{NaN:1}",
        "{\"text\":\"a\nb\"}",
        "{\"other\":\"a\tb\"}",
        "// note\n{}",
        "/* note */{}",
        "hello",
        "{\"text\":1,}",
        "[{},]",
        r#"{"text":01}"#,
        r#"{"other":1.}"#,
        r#"{"text":"\x"}"#,
        r#"{"other":"\ud8"}"#,
        "}",
    ] {
        check_bad(text.as_bytes(), Reason::BadJson);
    }
}

#[test]
fn what_is_json_but_no_object() {
    for text in
        ["", " \r\n\t", "null", "5", "-5.5", "1e400", "NaN", "\"text\"", "true", "[]", " [ ] "]
    {
        check_bad(text.as_bytes(), Reason::NotAnObject);
    }
}

#[test]
fn single_quotes_are_bad_json_unless_spark_is_to_be_matched() {
    let text = r#"{'text':'it\'s "x"','list':["a'b"]}"#;
    assert_eq!(refusal(text.as_bytes(), &plain()).0, Reason::BadJson);
    let (all, _) = event::<All>(text, &null_row());
    assert_eq!(all.text.as_deref(), Some(r#"it's "x""#));
    assert_eq!(all.list, Some(vec![Some("a'b".into())]));
}

#[test]
fn text_after_the_object_is_bad_json_unless_spark_is_to_be_matched() {
    for text in [r#"{"i32":1} x"#, r#"{"i32":1}{}"#, r#"{"i32":1}}"#, r#"{"i32":1},"#] {
        assert_eq!(refusal(text.as_bytes(), &plain()).0, Reason::BadJson, "{text}");
        assert_eq!(event::<All>(text, &null_row()).0.i32, Some(1), "{text}");
    }
}

#[test]
fn white_space_after_the_object_is_accepted() {
    for options in [plain(), null_row()] {
        assert_eq!(event::<All>(" {\"i32\":1} \r\n\t", &options).0.i32, Some(1));
    }
}

#[test]
fn a_byte_order_mark_is_skipped_unless_spark_is_to_be_matched() {
    let text = "\u{feff}{\"i32\":1}";
    assert_eq!(event::<All>(text, &plain()).0.i32, Some(1));
    assert_eq!(event::<All>(text, &null_row()).0, All::default());
}

#[test]
fn a_lone_surrogate_is_replaced() {
    let text = r#"{"text":"a\ud800b\ud83d\ude00","other":"\udfff","\udc00":1}"#;
    assert_eq!(event::<All>(text, &plain()).0.text.as_deref(), Some("a\u{fffd}b😀"));
    assert_eq!(event::<All>(text, &null_row()).0.text.as_deref(), Some("a?b😀"));
}

#[test]
fn a_repaired_document_appends_its_events_once() {
    let text = r#"[{"i32":1,"f64":"x"},{"i32":2,"text":"\ud800"},{"f64":NaN}]"#;
    let (result, out, errors) = outcome::<All>(Some(text.as_bytes()), &plain());
    assert_eq!((result, out.events.len()), (Ok(3), 3));
    assert_eq!(errors.counts().into_iter().collect::<Vec<_>>(), [("f64".into(), 2)]);
}

#[test]
fn invalid_utf8_is_bad_utf8() {
    check_refused_always(b"{\"text\":\"\xff\"}", Reason::BadUtf8, plain());
    check_refused_always(b"{\"text\":\"\xed\xa0\x80\"}", Reason::BadUtf8, plain());
    let detail = refusal(b"{\"text\":\"\xff\"}", &plain()).1;
    assert_eq!(detail, "byte 9 of the record is no UTF-8");
}

#[test]
fn a_tombstone_is_a_letter() {
    let (result, ..) = outcome::<All>(None, &plain());
    assert_eq!(result.map_err(|reject| reject.reason), Err(Reason::Tombstone));
    let (result, out, _) = outcome::<All>(None, &null_row());
    assert_eq!((result, out.events), (Ok(1), vec![All::default()]));
}

#[test]
fn a_record_above_the_limit_is_too_large() {
    let options = Options { message_bytes_max: 9, ..plain() };
    assert_eq!(event::<All>(r#"{"i32":1}"#, &options).0.i32, Some(1));
    check_refused_always(b"{\"i32\":1} ", Reason::TooLarge, options.clone());
    check_refused_always(b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", Reason::TooLarge, options);
}

#[test]
fn nesting_is_limited_also_in_fields_that_nobody_reads() {
    let nested = |field: &str, depth: usize| {
        // The object around it is the first level.
        format!("{{\"{field}\":{}{}}}", "[".repeat(depth - 1), "]".repeat(depth - 1))
    };
    for field in ["text", "other", "list", "i32"] {
        event::<All>(&nested(field, 64), &plain());
        for depth in [65, 128, 129, 10_000] {
            check_refused_always(nested(field, depth).as_bytes(), Reason::TooDeep, plain());
        }
        let deep = Options { depth_max: 1_000_000, ..plain() };
        event::<All>(&nested(field, 127), &deep);
        check_refused_always(nested(field, 128).as_bytes(), Reason::TooDeep, deep);
    }
    check_refused_always("[".repeat(10_000).as_bytes(), Reason::TooDeep, plain());
    check_refused_always("{\"a\":".repeat(10_000).as_bytes(), Reason::TooDeep, plain());
}

#[test]
fn brackets_in_texts_and_side_by_side_are_no_nesting() {
    let text = format!(r#"{{"text":"{}","other":[{}0]}}"#, "[{".repeat(500), "[],".repeat(500));
    assert_eq!(event::<All>(&text, &plain()).0.text.map(|text| text.len()), Some(1_000));
}

#[test]
fn each_element_of_an_array_is_an_event() {
    let text = r#"[{"i32":1},{"i32":2}]"#;
    let (result, out, _) = outcome::<All>(Some(text.as_bytes()), &Options::default());
    assert_eq!((result, &out.elements[..]), (Ok(2), &[0, 1][..]));
    let ids: Vec<_> = out.events.iter().map(|all| all.id.as_deref().unwrap()).collect();
    assert_eq!(ids, ["chat-2-3-0", "chat-2-3-1"]);
}

#[test]
fn bad_elements_of_an_array_fall_alone() {
    let text = r#"[1,{"i32":"x"},[{}],{"i32":2},null]"#;
    let (result, out, _) = outcome::<All>(Some(text.as_bytes()), &strict());
    assert_eq!((result, &out.elements[..], out.events[0].i32), (Ok(1), &[3][..], Some(2)));
    let rejects: Vec<_> = out.rejects.into_iter().map(|(at, r)| (at, r.reason)).collect();
    let not = Reason::NotAnObject;
    assert_eq!(rejects, [(0, not), (1, Reason::WrongType), (2, not), (4, not)]);
}

#[test]
fn an_array_without_a_good_element_is_no_refusal_of_the_whole() {
    let (result, out, _) = outcome::<All>(Some(b"[1]"), &plain());
    assert_eq!((result, out.rejects.len()), (Ok(0), 1));
    assert_eq!(out.rejects[0].1.detail, "the element is a number, not an object");
}

#[test]
fn an_array_that_breaks_off_is_refused_as_a_whole() {
    check_bad(br#"[{"i32":1},2,{"i32":"x"},"#, Reason::BadJson);
}

#[test]
fn for_spark_an_array_is_a_row_of_nulls_unless_the_job_reads_arrays() {
    check_null_row_array::<All>(vec![All::default()]);
    let level = |price| Level { price };
    check_null_row_array(vec![level(Some(1.0)), level(None), level(Some(2.0))]);
}

fn check_null_row_array<E: Wire + std::fmt::Debug + PartialEq>(expect: Vec<E>) {
    let text = br#"[{"price":1},null,{"price":2}]"#;
    let (result, out, _) = outcome::<E>(Some(text), &null_row());
    assert_eq!((result, out.events), (Ok(expect.len()), expect));
}

#[test]
fn an_object_where_an_array_is_expected_is_an_array_of_one() {
    for options in [plain(), null_row()] {
        let (level, counted) = event::<Level>(r#"{"symbol":"X","price":"abc"}"#, &options);
        assert_eq!((level, counted), (Level { price: None }, vec!["price 1".to_owned()]));
    }
}

#[test]
fn the_last_of_two_values_wins() {
    for (text, expect, count) in [
        (r#"{"i32":1,"i32":2}"#, Some(2), 0),
        (r#"{"i32":1,"i32":null}"#, None, 0),
        (r#"{"i32":1,"i32":"x"}"#, None, 1),
        (r#"{"i32":"x","text":1,"i32":2}"#, Some(2), 0),
        (r#"{"i32":1,"\u00693\u0032":2}"#, Some(2), 0),
    ] {
        let (all, counted) = event::<All>(text, &plain());
        assert_eq!((all.i32, counted.len()), (expect, count), "{text}");
        let refused = outcome::<All>(Some(text.as_bytes()), &strict()).0.is_err();
        assert_eq!(refused, count > 0, "{text}");
    }
}

#[test]
fn names_are_case_sensitive_and_may_have_escapes() {
    let (all, _) = event::<All>(r#"{"TEXT":"no","\u0074ext":"yes","\ud83d\ude00":1}"#, &plain());
    assert_eq!(all.text.as_deref(), Some("yes"));
}

#[test]
fn a_strict_type_names_field_and_types() {
    let (reason, detail) = refusal(br#"{"text":1,"i32":"x","bool":1}"#, &strict());
    assert_eq!(reason, Reason::WrongType);
    assert_eq!(detail, "field `i32` is a text, not a whole number of 32 bits");
}

#[test]
fn details_are_short_and_have_no_place() {
    let detail = refusal(b"{\"text\":1", &plain()).1;
    assert_eq!(detail, "EOF while parsing an object");
    assert!(!refusal(b"{\"text\":tru}", &plain()).1.contains("line"));
}

#[test]
fn the_fields_that_normalise_fills_stay_empty_in_a_row_of_nulls() {
    let options = Options { errors: BadDocument::NullRow, ..Options::default() };
    assert_eq!(event::<All>("x", &options).0.id, None);
}

#[test]
fn text_that_looks_like_a_marked_token_is_text() {
    let text = format!(r#"{{"text":"{}NaN"}}"#, lexical::MARK);
    assert_eq!(event::<All>(&text, &plain()).0.text.map(|text| text.len()), Some(6));
}
