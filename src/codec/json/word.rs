//! [`Word`]: text that becomes a type of its own while it is read, so that none is kept.

use serde::de::{MapAccess, SeqAccess};

use super::coerce::{Coerce, Context};
use crate::codec::{Options, timestamp};
use crate::text::Text;
use crate::time::Time;

/// What can be made of a text.
pub(super) trait Spelled: Sized {
    fn of(text: &str, options: &Options) -> Self;
}

impl<T: for<'a> From<&'a str>> Spelled for T {
    fn of(text: &str, _: &Options) -> T {
        T::from(text)
    }
}

/// The time that a text says, if it says one.
pub(super) struct TextTime(pub(super) Option<Time>);

impl Spelled for TextTime {
    fn of(text: &str, options: &Options) -> TextTime {
        TextTime(timestamp::parse(text, &options.naive_tz, options.extended_times))
    }
}

/// The time of a text that is a number of milliseconds since 1970.
pub(super) struct TextMillis(pub(super) Option<Time>);

impl Spelled for TextMillis {
    fn of(text: &str, _: &Options) -> TextMillis {
        TextMillis(timestamp::from_millis_text(text))
    }
}

/// What a text stands for; other values are read as text first.
pub(super) struct Word<T>(pub(super) T);

impl<T: Spelled> Word<T> {
    fn of(text: Option<Text>, options: &Options) -> Option<Word<T>> {
        text.map(|text| Word(T::of(&text, options)))
    }
}

impl<T: Spelled> Coerce for Word<T> {
    const WANTED: &'static str = Text::WANTED;
    const EXACT: bool = Text::EXACT;

    fn from_bool(truth: bool, options: &Options) -> Option<Word<T>> {
        Word::of(Text::from_bool(truth, options), options)
    }

    fn from_i64(n: i64, options: &Options) -> Option<Word<T>> {
        Word::of(Text::from_i64(n, options), options)
    }

    fn from_u64(n: u64, options: &Options) -> Option<Word<T>> {
        Word::of(Text::from_u64(n, options), options)
    }

    fn from_f64(number: f64, options: &Options) -> Option<Word<T>> {
        Word::of(Text::from_f64(number, options), options)
    }

    fn from_text(text: &str, options: &Options) -> Option<Word<T>> {
        Some(Word(T::of(text, options)))
    }

    fn from_bare(token: &str, options: &Options) -> Option<Word<T>> {
        Word::of(Text::from_bare(token, options), options)
    }

    fn from_seq<'de, A: SeqAccess<'de>>(
        seq: A,
        context: &mut Context<'_>,
    ) -> Result<Option<Word<T>>, A::Error> {
        Ok(Word::of(Text::from_seq(seq, context)?, context.options))
    }

    fn from_map<'de, A: MapAccess<'de>>(
        map: A,
        context: &mut Context<'_>,
    ) -> Result<Option<Word<T>>, A::Error> {
        Ok(Word::of(Text::from_map(map, context)?, context.options))
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Decoded, Field, decode};
    use crate::codec::{At, Options, TypeErrors, Wire};
    use serde::de::MapAccess;

    #[derive(Debug, PartialEq)]
    struct Length(usize);

    impl From<&str> for Length {
        fn from(text: &str) -> Length {
            Length(text.len())
        }
    }

    #[derive(Default)]
    struct Event {
        word: Option<Length>,
    }

    impl Wire for Event {
        fn field<'de, A: MapAccess<'de>>(
            &mut self,
            _: &str,
            field: Field<'_, A>,
        ) -> Result<(), A::Error> {
            field.word(&mut self.word)
        }
    }

    #[test]
    fn a_word_is_made_of_what_is_a_text_also_elsewhere() {
        let check = |value: &str, expect: Option<usize>| {
            let document = format!("{{\"word\":{value}}}");
            let at = At { topic: "words", position: Default::default() };
            let (options, errors) = (Options::default(), TypeErrors::default());
            let mut decoded = Decoded::<Event>::default();
            let read = decode(Some(document.as_bytes()), at, &options, &errors, &mut decoded);
            assert_eq!(read, Ok(1), "{value}");
            assert_eq!(decoded.events[0].word, expect.map(Length), "{value}");
        };
        check("null", None);
        check("\"LOGIN\"", Some(5));
        check("\"\"", Some(0));
        check("true", Some(4));
        check("-12", Some(3));
        check("1e3", Some("1000.0".len()));
        check("-0", Some("0".len()));
        check("18446744073709551616", Some(20));
        check("NaN", None);
        check("[1, 2]", Some("[1,2]".len()));
        check("{\"a\": 1}", Some("{\"a\":1}".len()));
    }
}
