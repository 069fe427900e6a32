//! Writes the records of the two topics that no job reads: transactions and stream events.

use highwater::time::Time;

use super::records::{Channel, Draft, Words, Writer, user_id, username};
use super::words::{CATEGORIES, TITLES};
use crate::json::{boolean, digits, hex, hundredths, padded, quoted, uuid};
use crate::random::{Random, Weighted, hash};

const PAYMENTS: [&str; 4] = ["credit_card", "paypal", "crypto", "gift_card"];
const DONATIONS: [u64; 8] = [1, 2, 5, 10, 20, 50, 100, 500];
const CHEERS: [u64; 5] = [100, 500, 1_000, 5_000, 10_000];
const GIFTS: [u64; 6] = [1, 5, 10, 20, 50, 100];
/// Price of a subscription that is given away, in cents.
const GIFT_PRICE: u64 = 499;
/// Tiers of subscriptions, with their price in cents and their share.
const TIERS: [(&str, u64, f64); 4] =
    [("tier1", 499, 0.60), ("tier2", 999, 0.20), ("tier3", 2_499, 0.15), ("prime", 0, 0.05)];
/// Types of transactions and their share.
const TYPES: [(&str, f64); 5] = [
    ("donation", 0.20),
    ("subscription", 0.30),
    ("bits", 0.25),
    ("gift_sub", 0.15),
    ("subscription_renewal", 0.10),
];
/// Draws from [`TYPES`].
pub(super) fn types() -> Weighted {
    Weighted::new(TYPES.iter().map(|(_, share)| *share))
}

/// Draws from [`TIERS`].
pub(super) fn tiers() -> Weighted {
    Weighted::new(TIERS.iter().map(|(_, _, share)| *share))
}

impl Writer {
    /// Writes a donation, subscription, or the like.
    pub(super) fn transaction(
        &self,
        draft: &Draft,
        random: &mut Random,
        out: &mut Vec<u8>,
    ) -> Option<Time> {
        let user = self.user(random);
        let (kind, _) = TYPES[self.types.draw(random)];
        let (tier, price, _) = TIERS[self.tiers.draw(random)];
        let gifts = *random.pick(&GIFTS);
        let cents = match kind {
            "donation" => 100 * random.pick(&DONATIONS),
            "bits" => 100 * random.pick(&CHEERS),
            "gift_sub" => GIFT_PRICE * gifts,
            _ => price,
        };
        let id = random.bits();
        let mut document = draft.document(out);
        document.field("transaction_id", |out| {
            out.extend_from_slice(b"\"txn_");
            hex(out, id, 16);
            out.push(b'"');
        });
        document.plain("channel", &self.channels[draft.channel].escaped);
        document.field("username", |out| username(out, user));
        document.field("user_id", |out| user_id(out, user));
        quoted(document.always("transaction_type"), kind);
        document.field("amount", |out| hundredths(out, cents));
        document.plain("currency", "USD");
        document.field("is_anonymous", |out| boolean(out, random.chance(0.05)));
        match kind {
            "donation" | "bits" => {
                let words = Words::draw(self, random);
                words.message(document.always("message"));
            }
            "gift_sub" => {
                quoted(document.always("tier"), "tier1");
                digits(document.always("gift_count"), gifts);
            }
            _ => {
                let months = random.between(1, 60);
                quoted(document.always("tier"), tier);
                digits(document.always("months"), months);
                digits(document.always("streak_months"), random.between(1, months));
            }
        }
        let time = document.time("timestamp", draft.time);
        let payment = random.pick(&PAYMENTS);
        let refundable = random.chance(0.5);
        document.field("metadata", |out| {
            out.extend_from_slice(b"{\"payment_method\":");
            quoted(out, payment);
            out.extend_from_slice(b",\"refundable\":");
            boolean(out, refundable);
            out.push(b'}');
        });
        document.end();
        time
    }

    /// Writes an event of a stream; of the given type, or else of one that happens in between.
    pub(super) fn stream_event(
        &self,
        draft: &Draft,
        kind: Option<&'static str>,
        random: &mut Random,
        out: &mut Vec<u8>,
    ) -> Option<Time> {
        let Channel { escaped, audience, .. } = &self.channels[draft.channel];
        let kind = kind.unwrap_or_else(|| match random.below(10) {
            0..4 => "title_change",
            4..8 => "category_change",
            _ => "raid_incoming",
        });
        let id = (random.bits(), random.bits());
        let mut document = draft.document(out);
        document.field("event_id", |out| uuid(out, id));
        document.plain("channel", escaped);
        quoted(document.always("event_type"), kind);
        document.field("stream_id", |out| {
            out.extend_from_slice(b"\"stream_");
            padded(out, hash(audience.followers, draft.channel as u64) % 10_000_000_000, 10);
            out.push(b'"');
        });
        document.plain("language", "en");
        document.field("is_mature", |out| boolean(out, false));
        match kind {
            "title_change" => quoted(document.always("title"), random.pick::<&str>(&TITLES)),
            "category_change" => {
                let index = random.below(CATEGORIES.len() as u64);
                let (category, tag) = CATEGORIES[index as usize];
                quoted(document.always("category"), category);
                let out = document.always("category_id");
                out.extend_from_slice(b"\"cat_");
                padded(out, 100 + index, 3);
                out.push(b'"');
                let out = document.always("tags");
                out.push(b'[');
                quoted(out, tag);
                out.push(b']');
            }
            "raid_incoming" => {
                let out = document.always("raid_data");
                out.extend_from_slice(b"{\"from_channel\":");
                quoted(out, "neighbour");
                out.extend_from_slice(b",\"viewer_count\":");
                digits(out, random.between(50, 5_000));
                out.push(b'}');
            }
            _ => {}
        }
        let time = document.time("timestamp", draft.time);
        let metadata = b"{\"stream_quality\":\"1080p60\",\"encoder\":\"x264\"}";
        document.field("metadata", |out| out.extend_from_slice(metadata));
        document.end();
        time
    }
}
