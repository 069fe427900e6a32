//! [`Word`]: text that becomes a type of its own while it is read, so that none is kept.

use serde::de::{MapAccess, SeqAccess};

use super::coerce::{Coerce, Context};
use crate::codec::Options;
use crate::text::Text;

/// What a text stands for; other values are read as text first.
pub(super) struct Word<T>(pub(super) T);

impl<T: for<'a> From<&'a str>> Word<T> {
    fn of(text: Option<Text>) -> Option<Word<T>> {
        text.map(|text| Word(T::from(text.as_str())))
    }
}

impl<T: for<'a> From<&'a str>> Coerce for Word<T> {
    const WANTED: &'static str = Text::WANTED;
    const EXACT: bool = Text::EXACT;

    fn from_bool(truth: bool) -> Option<Word<T>> {
        Word::of(Text::from_bool(truth))
    }

    fn from_i64(n: i64, options: &Options) -> Option<Word<T>> {
        Word::of(Text::from_i64(n, options))
    }

    fn from_u64(n: u64, options: &Options) -> Option<Word<T>> {
        Word::of(Text::from_u64(n, options))
    }

    fn from_f64(number: f64) -> Option<Word<T>> {
        Word::of(Text::from_f64(number))
    }

    fn from_text(text: &str, _: &Options) -> Option<Word<T>> {
        Some(Word(T::from(text)))
    }

    fn from_bare(token: &str, options: &Options) -> Option<Word<T>> {
        Word::of(Text::from_bare(token, options))
    }

    fn from_seq<'de, A: SeqAccess<'de>>(
        seq: A,
        context: &mut Context<'_>,
    ) -> Result<Option<Word<T>>, A::Error> {
        Text::from_seq(seq, context).map(Word::of)
    }

    fn from_map<'de, A: MapAccess<'de>>(
        map: A,
        context: &mut Context<'_>,
    ) -> Result<Option<Word<T>>, A::Error> {
        Text::from_map(map, context).map(Word::of)
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
            self.word = field.word()?;
            Ok(())
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
