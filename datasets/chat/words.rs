//! What people write in a chat: templates, emotes, names.
//!
//! A template is a text in which each `{}` is the place of an emote. Five of them hold a word of
//! the positive lexicon of the job and none one of the negative; those of [`NEGATIVE`] hold one.
//! The texts are ours and need no escapes in JSON.

/// How a message is meant, as its producer says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hint {
    Positive,
    Neutral,
    Excited,
    Question,
    Negative,
}

impl Hint {
    /// Its name on the wire.
    pub(super) fn name(self) -> &'static str {
        match self {
            Positive => "positive",
            Neutral => "neutral",
            Excited => "excited",
            Question => "question",
            Negative => "negative",
        }
    }
}

use Hint::{Excited, Negative, Neutral, Positive, Question};

/// Templates in the order in which `message_variants` takes them.
pub(super) const TEMPLATES: &[(&str, Hint)] = &[
    ("hello from the night shift {}", Positive),
    ("what a comeback {}", Excited),
    ("which keyboard is that?", Question),
    ("first time here {} hi everyone", Neutral),
    ("this run is amazing {}", Positive),
    ("{} {} they really did it", Excited),
    ("how long has this been live? {}", Question),
    ("brb getting tea", Neutral),
    ("that jump was so close {}", Excited),
    ("good luck in the next round {}", Positive),
    ("someone clip that {}", Excited),
    ("is there a schedule for this week?", Question),
    ("{} the timing on that", Excited),
    ("my cat is watching too {}", Neutral),
    ("turn the music up a little", Neutral),
    ("no way {} no way {}", Excited),
    ("thanks for answering my question {}", Positive),
    ("who else is here since the start? {}", Question),
    ("that boss has three more phases", Neutral),
    ("{} again from the top", Neutral),
    ("did the stream freeze or is it me?", Question),
    ("here we go {}", Excited),
    ("take the left door", Neutral),
    ("the map on the wall is a hint", Neutral),
    ("this part always gets me {}", Positive),
    ("one more try {} one more try", Excited),
    ("new record incoming {}", Excited),
    ("what settings do you play on? {}", Question),
    ("two hours until midnight over here", Neutral),
    ("{} {} {} that is the one", Excited),
    ("such a fun evening {}", Positive),
    ("save before you go in there {}", Neutral),
    ("welcome to the new subscribers {}", Positive),
    ("drop the beat {}", Excited),
    ("can you show the build again? {}", Question),
    ("{} straight through the wall", Excited),
    ("eyes on the minimap", Neutral),
    ("quick reminder to drink water {}", Neutral),
    ("the crowd goes quiet {}", Neutral),
    ("is this the last level? {}", Question),
    ("right on time for the finale {}", Positive),
    ("best start to a weekend {}", Positive),
    ("they planned this all along {}", Neutral),
    ("slow and steady {}", Neutral),
    ("every emote at once {} {} {}", Excited),
    ("where can we find the playlist?", Question),
    ("chat was right {} chat is always right {}", Positive),
    ("hold the line {}", Excited),
    ("the sound of those steps gives it away", Neutral),
    ("see you all tomorrow {}", Positive),
];

/// Templates with a word of the negative lexicon.
pub(super) const NEGATIVE: &[(&str, Hint)] = &[
    ("that was a bad call {}", Negative),
    ("the lag is terrible tonight", Negative),
    ("such a boring route {}", Negative),
    ("this level is annoying", Negative),
    ("i hate the water part {}", Negative),
    ("worst spawn of the day {}", Negative),
    ("a sad ending {}", Negative),
    ("another fail on the bridge", Negative),
    ("the new patch sucks {}", Negative),
    ("so disappointed by that trade {}", Negative),
];

/// The emotes, which are the system's.
pub(super) const EMOTES: [&str; 23] = [
    "Kappa",
    "PogChamp",
    "LUL",
    "KEKW",
    "Kreygasm",
    "BibleThump",
    "ResidentSleeper",
    "4Head",
    "EZ",
    "MonkaS",
    "Pepega",
    "PepeHands",
    "Sadge",
    "Pog",
    "PauseChamp",
    "widepeepoHappy",
    "OMEGALUL",
    "Clap",
    "POGGERS",
    "FeelsGoodMan",
    "FeelsBadMan",
    "TriHard",
    "CoolStoryBob",
];

/// Beginnings and ends of user names; 45 pairs, then numbers are added.
pub(super) const NAME_BEGINNINGS: [&str; 9] =
    ["quiet", "lucky", "pixel", "copper", "midnight", "solar", "tiny", "rusty", "velvet"];
/// See [`NAME_BEGINNINGS`].
pub(super) const NAME_ENDS: [&str; 5] = ["otter", "falcon", "comet", "badger", "lantern"];

/// Titles that a stream may be given.
pub(super) const TITLES: [&str; 6] = [
    "No map, no plan",
    "Road to the summit",
    "Community night",
    "Practice before the finals",
    "One hundred doors",
    "Late and wide awake",
];

/// Categories of streams, with their tags.
pub(super) const CATEGORIES: [(&str, &str); 5] = [
    ("Puzzle games", "relaxed"),
    ("Speedrunning", "competitive"),
    ("Music", "live"),
    ("Drawing", "creative"),
    ("Just talking", "social"),
];

/// A template cut at its places for emotes.
#[derive(Clone, Debug)]
pub(super) struct Template {
    /// The texts around the places: one more than there are places.
    pub(super) parts: Vec<&'static str>,
    pub(super) hint: Hint,
}

impl Template {
    pub(super) fn new(&(text, hint): &(&'static str, Hint)) -> Template {
        Template { parts: text.split("{}").collect(), hint }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::escaped;

    const POSITIVE_WORDS: &str = "love great awesome amazing excellent good best wonderful \
        fantastic perfect happy thanks lol haha nice cool fun enjoy excited pog pogchamp kekw";
    const NEGATIVE_WORDS: &str = "hate bad terrible awful worst sucks boring annoying stupid dumb \
        trash cringe fail rip sad angry mad disappointed frustrated";

    fn holds(text: &str, words: &str) -> bool {
        text.to_lowercase().split_whitespace().any(|word| words.split(' ').any(|w| w == word))
    }

    fn count(templates: &[(&str, Hint)], words: &str) -> usize {
        templates.iter().filter(|(text, _)| holds(text, words)).count()
    }

    #[test]
    fn there_are_enough_templates_with_the_places_and_words_of_the_specification() {
        assert!(50 <= TEMPLATES.len());
        let with_places =
            |n| TEMPLATES.iter().filter(|(t, _)| t.matches("{}").count() == n).count();
        assert_eq!([0, 1, 2, 3].map(with_places), [12, TEMPLATES.len() - 17, 3, 2]);
        assert_eq!(count(TEMPLATES, POSITIVE_WORDS), 5);
        assert_eq!(count(TEMPLATES, NEGATIVE_WORDS), 0);
        assert_eq!(count(NEGATIVE, POSITIVE_WORDS), 0);
        assert_eq!(count(NEGATIVE, NEGATIVE_WORDS), NEGATIVE.len());
    }

    #[test]
    fn no_text_needs_escapes() {
        let texts = TEMPLATES.iter().chain(NEGATIVE).map(|(text, _)| *text);
        let others = EMOTES.into_iter().chain(NAME_BEGINNINGS).chain(NAME_ENDS).chain(TITLES);
        let pairs = CATEGORIES.into_iter().flat_map(|(category, tag)| [category, tag]);
        for text in texts.chain(others).chain(pairs) {
            assert_eq!(escaped(text), text);
        }
    }
}
