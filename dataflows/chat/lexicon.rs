//! Sentiment of a message, from two lists of words.

use highwater::prelude::Text;

/// Words that count as positive.
const POSITIVE: [&str; 22] = [
    "love",
    "great",
    "awesome",
    "amazing",
    "excellent",
    "good",
    "best",
    "wonderful",
    "fantastic",
    "perfect",
    "happy",
    "thanks",
    "lol",
    "haha",
    "nice",
    "cool",
    "fun",
    "enjoy",
    "excited",
    "pog",
    "pogchamp",
    "kekw",
];

/// Words that count as negative.
const NEGATIVE: [&str; 19] = [
    "hate",
    "bad",
    "terrible",
    "awful",
    "worst",
    "sucks",
    "boring",
    "annoying",
    "stupid",
    "dumb",
    "trash",
    "cringe",
    "fail",
    "rip",
    "sad",
    "angry",
    "mad",
    "disappointed",
    "frustrated",
];

/// (p − n) / (p + n) of the *different* words of a message that are in either list, else 0.0.
/// Words are split at white space and lower-cased; punctuation is not stripped.
pub(super) fn score(message: &str) -> f64 {
    // Bit sets of the words seen: a repeated word counts once, and nothing is allocated.
    let (mut positive, mut negative) = (0u32, 0u32);
    for word in message.split_whitespace() {
        let lower = lower(word);
        positive |= bit(&POSITIVE, &lower);
        negative |= bit(&NEGATIVE, &lower);
    }
    let (p, n) = (f64::from(positive.count_ones()), f64::from(negative.count_ones()));
    if p + n == 0.0 { 0.0 } else { (p - n) / (p + n) }
}

fn bit(words: &[&str], word: &str) -> u32 {
    words.iter().position(|known| *known == word).map_or(0, |at| 1 << at)
}

fn lower(word: &str) -> Text {
    match word.is_ascii() {
        true => {
            let mut word = Text::from(word);
            word.make_ascii_lowercase();
            word
        }
        false => Text::from(word.to_lowercase()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn different_words_of_the_lists_decide() {
        let check = |message, expect| assert_eq!(score(message), expect, "{message}");
        check("", 0.0);
        check("hello there", 0.0);
        check("love this pog", 1.0);
        check("love love LOVE bad", 0.0);
        check("GREAT great nice bad", 1.0 / 3.0);
        check("great! bad", -1.0);
        check("bad\u{2003}take", -1.0);
    }
}
