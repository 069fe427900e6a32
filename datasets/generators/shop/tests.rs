//! Which events come, how often, and how sessions last.

use std::collections::BTreeMap;

use crate::generators::tests::{check_shares, counts, generator, made, parsed, text};

const UPSTREAM: [(&str, f64); 6] = [
    ("user_login", 0.25),
    ("page_view", 0.30),
    ("item_click", 0.20),
    ("purchase", 0.10),
    ("cart_add", 0.10),
    ("search", 0.05),
];

fn types(options: &str) -> BTreeMap<String, u32> {
    let all = made("shop", options, 20_000);
    counts(all.iter().map(|made| text(&parsed(made), "event_type").to_owned()))
}

#[test]
fn types_come_by_their_weights() {
    check_shares(&types(""), &UPSTREAM);
    let review = ("product_review", 0.05);
    let with_reviews: Vec<(&str, f64)> = UPSTREAM.into_iter().chain([review]).collect();
    check_shares(&types("profile = \"full\""), &with_reviews);
    check_shares(&types("types = \"product_review=.05\""), &with_reviews);
    let only = "types = \"user_login=0,page_view=0,item_click=0, purchase=1, cart_add=0\"";
    check_shares(&types(only), &[("purchase", 1.0), ("search", 0.05)]);
}

#[test]
fn weights_that_cannot_be_are_refused() {
    for types in ["purchse=1", "purchase=x", "purchase", "purchase=-1"] {
        let error = generator("shop", &format!("types = {types:?}")).err().unwrap().to_string();
        assert!(error.contains("write TYPE=WEIGHT with one of user_login,"), "{error}");
    }
}

#[test]
fn values_keep_to_their_ranges() {
    for made in made("shop", "profile = \"full\"", 5_000) {
        let document = parsed(&made);
        let within = |field: &str, least: f64, most: f64| {
            let value = document[field].as_f64().unwrap_or_else(|| panic!("{document}"));
            assert!((least..=most).contains(&value), "{document}");
        };
        assert_eq!(made.key, text(&document, "user_id").as_bytes());
        let session = text(&document, "session_id");
        assert!(session.starts_with(&format!("session_{}_", text(&document, "user_id"))));
        match text(&document, "event_type") {
            "page_view" => within("duration_seconds", 5.0, 300.0),
            "item_click" => within("position", 1.0, 20.0),
            "cart_add" => within("price", 5.0, 200.0),
            "product_review" => within("rating", 1.0, 5.0),
            "purchase" => {
                within("total_amount", 10.0, 500.0);
                let items = document["items"].as_array().unwrap();
                let distinct: std::collections::BTreeSet<String> =
                    items.iter().map(|item| item.as_str().unwrap().to_owned()).collect();
                assert!(distinct.len() == items.len() && (1..=5).contains(&items.len()));
                assert_eq!(document["quantities"].as_array().unwrap().len(), items.len());
            }
            "search" => assert!(document["clicked_position"].as_u64().unwrap_or(0) <= 10),
            _ => {}
        }
    }
}

#[test]
fn a_real_session_lasts_until_thirty_minutes_of_silence() {
    const SILENCE: i64 = 1_800_000_000;
    let all = made("shop", "sessions = \"real\"\nkeys = 200\nrate = 1.0", 20_000);
    let mut last: BTreeMap<Vec<u8>, (i64, String)> = BTreeMap::new();
    let (mut same, mut new) = (0, 0);
    for made in &all {
        let (time, document) = (made.time.unwrap().micros(), parsed(made));
        let session = text(&document, "session_id").to_owned();
        if let Some((before, earlier)) = last.insert(made.key.clone(), (time, session.clone())) {
            assert_eq!(earlier == session, time - before < SILENCE, "{before} {earlier} {made:?}");
            if earlier == session { same += 1 } else { new += 1 }
        }
    }
    assert!(500 < new && new < same, "{new} sessions, {same} events more");
    let upstream = made("shop", "", 2_000);
    let sessions = counts(upstream.iter().map(|m| text(&parsed(m), "session_id").to_owned()));
    assert!(1_990 < sessions.len());
}
