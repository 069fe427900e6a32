//! Events of the shop, from documents.

use super::*;
use highwater::codec::{Decoded, Options, TypeErrors, decode};

fn read(document: &str, dialect: Dialect) -> Event {
    let at = At { topic: "events", position: Default::default() };
    let (options, errors) = (Options { dialect, ..Options::default() }, TypeErrors::default());
    let mut decoded = Decoded::<Event>::default();
    assert_eq!(decode(Some(document.as_bytes()), at, &options, &errors, &mut decoded), Ok(1));
    decoded.events.remove(0)
}

#[test]
fn a_purchase_has_its_lists() {
    let event = read(
        r#"{"event_id":"e","event_type":"purchase","user_id":"user_0001","session_id":"s",
            "timestamp":"2026-03-01T12:00:00.000001+00:00","device":"mobile","location":"US",
            "order_id":"order_1","items":["item_1","item_2",3],"quantities":[1,2,"x"],
            "total_amount":10.5,"currency":"USD","payment_method":"paypal","gift":{"wrap":true}}"#,
        Dialect::Auto,
    );
    assert!(event.is("purchase"));
    assert_eq!(event.time().map(|time| time.micros() % 1_000_000), Some(1));
    assert_eq!(event.timestamp.unwrap().text(), "2026-03-01T12:00:00.000001+00:00");
    let items = ["item_1", "item_2", "3"].map(|item| Some(Text::from(item)));
    let order = Order {
        order_id: Some("order_1".into()),
        items: Some(items.into()),
        quantities: Some(vec![Some(1), Some(2), None]),
        total_amount: Some(10.5),
        currency: Some("USD".into()),
        payment_method: Some("paypal".into()),
    };
    assert_eq!(event.order, order);
}

#[test]
fn every_field_is_read_and_what_has_the_wrong_type_is_null() {
    let event = read(
        r#"{"event_type":"search","success":"true","duration_seconds":2147483648,"position":1.5,
            "page":5,"quantity":2,"price":"9.99","search_query":"shoes","results_count":7,
            "clicked_position":null,"rating":4,"login_method":"sso","referrer":["a"],
            "item_id":"i","category":"c","timestamp":1767225600}"#,
        Dialect::Auto,
    );
    assert_eq!((event.success, event.duration_seconds, event.position), (None, None, None));
    assert_eq!((event.quantity, event.price, event.results_count), (Some(2), None, Some(7)));
    assert_eq!((event.clicked_position, event.rating), (None, Some(4)));
    let texts = [&event.page, &event.search_query, &event.login_method, &event.referrer];
    assert_eq!(texts.map(|text| text.as_deref()), ["5", "shoes", "sso", "[\"a\"]"].map(Some),);
    assert_eq!(event.time(), Some(Time::from_seconds(1_767_225_600)));
    assert_eq!(event.timestamp.unwrap().text(), "1767225600");
}

#[test]
fn a_login_is_a_user_login_unless_the_dialect_is_strict() {
    let login = r#"{"event_type":"login"}"#;
    assert!(read(login, Dialect::Auto).is("user_login"));
    assert!(read(login, Dialect::Strict).is("login"));
    assert!(read(r#"{"event_type":"user_login"}"#, Dialect::Auto).is("user_login"));
}

#[test]
fn the_key_of_the_record_is_kept_as_text() {
    let mut event = Event::default();
    event.record_key(Some(b"user_0001"));
    assert_eq!(event.key.as_deref(), Some("user_0001"));
    event.record_key(Some(b"a\xff"));
    assert_eq!(event.key.as_deref(), Some("a\u{fffd}"));
    event.record_key(None);
    assert_eq!(event.key, None);
}
