//! Writes the events of the shop.

use highwater::dataset::{Fault, Made};
use highwater::time::Time;

use crate::json::{Document, boolean, digits, hex, hundredths, list, named, padded, uuid};
use crate::random::Random;

/// Types of events with their weights; reviews are the last.
pub(super) const TYPES: [(&str, f64); 7] = [
    ("user_login", 0.25),
    ("page_view", 0.30),
    ("item_click", 0.20),
    ("purchase", 0.10),
    ("cart_add", 0.10),
    ("search", 0.05),
    ("product_review", 0.0),
];

const DEVICES: [&str; 3] = ["mobile", "desktop", "tablet"];
const LOCATIONS: [&str; 8] = ["US", "UK", "CA", "DE", "FR", "JP", "AU", "BR"];
const LOGIN_METHODS: [&str; 3] = ["email", "social", "sso"];
const PAGES: [&str; 6] = ["home", "product", "category", "search", "cart", "checkout"];
const REFERRERS: [&str; 4] = ["search", "direct", "social", "email"];
const CATEGORIES: [&str; 6] = ["electronics", "clothing", "books", "home", "sports", "toys"];
const PAYMENTS: [&str; 3] = ["credit_card", "paypal", "apple_pay"];
const QUERIES: [&str; 6] = ["laptop", "shoes", "book", "phone", "watch", "bag"];
const ITEMS: u64 = 500;

/// What is settled of a record before it is written.
pub(super) struct Draft {
    /// Index of its type in [`TYPES`].
    pub(super) kind: usize,
    pub(super) visit: Visit,
    pub(super) time: Time,
    pub(super) fault: Option<Fault>,
    pub(super) shape: u64,
}

/// Who acts, and in which session.
pub(super) struct Visit {
    pub(super) user: u64,
    /// Number of the session, 0 to 8999.
    pub(super) session: u64,
    /// Random bits for the device and the place.
    pub(super) device: u64,
}

/// Writes key and value; returns the event time that can be read from the value.
pub(super) fn write(draft: &Draft, random: &mut Random, made: &mut Made) -> Option<Time> {
    let Visit { user, session, device } = draft.visit;
    let (kind, _) = TYPES[draft.kind];
    let user = user + 1;
    made.key.extend_from_slice(b"user_");
    padded(&mut made.key, user, 4);
    let mut document = Document::new(&mut made.value, draft.fault, draft.shape);
    let id = (random.bits(), random.bits());
    document.field("event_id", |out| uuid(out, id));
    document.plain("event_type", kind);
    document.field("user_id", |out| named(out, "user_", user, 4));
    let time = document.time("timestamp", draft.time);
    document.plain("device", DEVICES[(device % 3) as usize]);
    document.plain("location", LOCATIONS[(device / 3 % 8) as usize]);
    document.field("session_id", |out| {
        out.extend_from_slice(b"\"session_user_");
        padded(out, user, 4);
        out.push(b'_');
        digits(out, 1_000 + session);
        out.push(b'"');
    });
    body(kind, random, &mut document);
    document.end();
    time
}

/// Writes the fields that belong to the type.
fn body(kind: &str, random: &mut Random, document: &mut Document<'_>) {
    match kind {
        "user_login" => {
            document.plain("login_method", random.pick::<&str>(&LOGIN_METHODS));
            let success = random.chance(0.95);
            document.field("success", |out| boolean(out, success));
        }
        "page_view" => {
            document.plain("page", random.pick::<&str>(&PAGES));
            document.plain("referrer", random.pick::<&str>(&REFERRERS));
            document.number("duration_seconds", random.between(5, 300));
        }
        "item_click" => {
            item(random, document);
            document.number("position", random.between(1, 20));
        }
        "purchase" => purchase(random, document),
        "cart_add" => {
            item(random, document);
            document.number("quantity", random.between(1, 3));
            let price = random.between(500, 20_000);
            document.field("price", |out| hundredths(out, price));
        }
        "search" => {
            document.plain("search_query", random.pick::<&str>(&QUERIES));
            document.number("results_count", random.between(0, 100));
            let (position, is_none) = (random.between(0, 10), random.chance(0.3));
            match is_none {
                true => document.always("clicked_position").extend_from_slice(b"null"),
                false => document.number("clicked_position", position),
            }
        }
        _ => {
            let id = random.bits();
            document.field("review_id", |out| coded(out, "review_", id));
            item(random, document);
            document.number("rating", random.between(1, 5));
            let verified = random.chance(0.7);
            document.field("verified_purchase", |out| boolean(out, verified));
        }
    }
}

fn item(random: &mut Random, document: &mut Document<'_>) {
    let item = random.between(1, ITEMS);
    document.field("item_id", |out| named(out, "item_", item, 4));
    document.plain("category", random.pick::<&str>(&CATEGORIES));
}

fn purchase(random: &mut Random, document: &mut Document<'_>) {
    let id = random.bits();
    document.field("order_id", |out| coded(out, "order_", id));
    let count = random.between(1, 5) as usize;
    // Each comes from a part of its own, so no two are the same.
    let first = random.below(ITEMS);
    let step = |index: u64| (first + index * (ITEMS / 5)) % ITEMS;
    let items: [u64; 5] =
        std::array::from_fn(|index| 1 + (step(index as u64) + random.below(ITEMS / 5)) % ITEMS);
    document.field("items", |out| {
        list(out, &items[..count], |out, item| named(out, "item_", *item, 4));
    });
    document.field("quantities", |out| {
        list(out, 0..count, |out, _| digits(out, random.between(1, 3)));
    });
    let amount = random.between(1_000, 50_000);
    document.field("total_amount", |out| hundredths(out, amount));
    document.plain("currency", "USD");
    document.plain("payment_method", random.pick::<&str>(&PAYMENTS));
}

/// Writes in quotes a name that ends with eight hexadecimal digits.
fn coded(out: &mut Vec<u8>, name: &str, bits: u64) {
    out.push(b'"');
    out.extend_from_slice(name.as_bytes());
    hex(out, bits, 8);
    out.push(b'"');
}
