//! The texts of NEXMark: names, places, channels, and what only fills a record.

use highwater::hash;

use crate::workloads::dice::Dice;

const FIRST_NAMES: [&str; 11] =
    ["Ada", "Ben", "Cleo", "Dora", "Emil", "Fay", "Gus", "Hana", "Ivo", "June", "Karl"];

const LAST_NAMES: [&str; 9] =
    ["Abel", "Brook", "Carver", "Dale", "Ester", "Field", "Grant", "Hale", "Irving"];

const CITIES: [&str; 10] = [
    "Phoenix", "Seattle", "Portland", "Boise", "Bend", "Tucson", "Redmond", "Fresno", "Oakland",
    "Cheyenne",
];

const STATES: [&str; 6] = ["AZ", "CA", "ID", "OR", "WA", "WY"];

const HOT_CHANNELS: [&str; 4] = ["Google", "Facebook", "Baidu", "Apple"];

/// Channels that are not hot.
const CHANNELS: u64 = 10_000;

pub(super) fn name(dice: &mut Dice) -> String {
    format!("{} {}", dice.pick(&FIRST_NAMES), dice.pick(&LAST_NAMES))
}

pub(super) fn city(dice: &mut Dice) -> &'static str {
    dice.pick(&CITIES)
}

pub(super) fn state(dice: &mut Dice) -> &'static str {
    dice.pick(&STATES)
}

pub(super) fn email(dice: &mut Dice) -> String {
    format!("{}@{}.com", words(dice, 7), words(dice, 5))
}

/// Four groups of four digits.
pub(super) fn credit_card(dice: &mut Dice) -> String {
    let groups = [(); 4].map(|()| format!("{:04}", dice.below(10_000)));
    groups.join(" ")
}

/// At most so many characters, of which one in 13 is a blank; none at its ends.
pub(super) fn words(dice: &mut Dice, bytes_max: usize) -> String {
    let bytes = 3 + dice.below(bytes_max as u64 - 3);
    let character = |_| match dice.below(13) {
        0 => ' ',
        _ => char::from(b'a' + dice.below(26) as u8),
    };
    let text: String = (0..bytes).map(character).collect();
    text.trim().to_owned()
}

/// Letters that fill a record of which some bytes are present to about the mean size, give or take
/// a fifth of what is missing.
pub(super) fn extra(dice: &mut Dice, mean: usize, present: usize) -> String {
    let missing = mean.saturating_sub(present);
    let fifth = (missing + 2) / 5;
    let more = dice.below(2 * fifth as u64 + 1) as usize;
    dice.letters(missing - fifth + more)
}

/// A channel and the place it leads to, which is the same each time.
pub(super) fn channel(dice: &mut Dice) -> (String, String) {
    if dice.chance(1, 2) {
        let hot = dice.below(HOT_CHANNELS.len() as u64);
        return (HOT_CHANNELS[hot as usize].to_owned(), url(CHANNELS + hot));
    }
    let channel = dice.below(CHANNELS);
    let mut url = url(channel);
    if !hash::of(&channel).is_multiple_of(10) {
        url.push_str(&format!("&channel_id={channel}"));
    }
    (format!("channel-{channel}"), url)
}

fn url(channel: u64) -> String {
    let mut dice = Dice::of(CHANNELS, channel);
    let [first, second, third] = [(); 3].map(|()| dice.letters(5));
    format!("https://www.nexmark.com/{first}/{second}/{third}/item.htm?query=1")
}
