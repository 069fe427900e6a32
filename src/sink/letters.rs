//! Where dead letters go when no binding says: the first of each kind on standard error.
//!
//! The first five per source and reason are shown with their position; the rest is counted, and the
//! counts are part of the ledger at the end.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::{Accepts, Guarantee, Refusal, Shard, Sink, Writer};
use crate::error::Result;
use crate::row::{Cell, Rows};
use crate::text::Text;

/// How many letters of a source and reason are shown.
const SHOWN_MAX: u64 = 5;

/// Shows the first letters of each source and reason.
#[derive(Default)]
pub struct ShownLetters(Arc<Mutex<BTreeMap<(Text, Text), u64>>>);

impl Sink for ShownLetters {
    fn accepts(&self) -> Accepts {
        Accepts::Final
    }

    fn guarantee(&self) -> Guarantee {
        Guarantee::AtLeastOnce
    }

    fn open(&mut self, _shard: Shard) -> Result<Box<dyn Writer>> {
        Ok(Box::new(ShownLetters(self.0.clone())))
    }
}

impl Writer for ShownLetters {
    fn write(&mut self, rows: &Rows) -> Result<Vec<Refusal>> {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for (_, cells) in rows.iter() {
            let letter = Shown(cells);
            let count = counts.entry((letter.text(1), letter.text(10))).or_default();
            *count += 1;
            if *count <= SHOWN_MAX {
                let last = if *count == SHOWN_MAX { "; more are only counted" } else { "" };
                tracing::warn!("dead letter {}{last}", letter.sentence());
            }
        }
        Ok(vec![])
    }
}

/// The cells of a letter, in the order of its schema.
struct Shown<'a>(&'a [Cell]);

impl Shown<'_> {
    fn text(&self, column: usize) -> Text {
        match &self.0[column] {
            Cell::Text(text) => text.clone(),
            _ => Text::default(),
        }
    }

    fn number(&self, column: usize) -> i64 {
        match self.0[column] {
            Cell::I32(number) => number.into(),
            Cell::I64(number) => number,
            _ => 0,
        }
    }

    fn sentence(&self) -> String {
        let (reason, detail, place) = (self.text(10), self.text(11), self.text(12));
        let place = if place.is_empty() { String::new() } else { format!(" at `{place}`") };
        let source = self.text(1);
        if source.is_empty() {
            return format!("{reason}{place}: {detail}");
        }
        let (partition, offset) = (self.number(2), self.number(3));
        format!("{reason}{place}: {source} partition {partition} offset {offset}: {detail}")
    }
}
