//! MK-06: how many records break which rule. They are used all the same.

mod rules;
mod spans;

use highwater::prelude::*;
use highwater_datasets::market::{Candle, Message};

use super::Settings;
use rules::Check;
use spans::{Ends, Spans};

/// Violations of each rule, of both topics.
pub(super) fn data_quality(
    candles: &Stream<Candle>,
    messages: &Stream<Message>,
    settings: &Settings,
) {
    let symbols = settings.symbols.clone();
    let candles = candles.flat_map(move |candle| rules::check_candle(candle, &symbols));
    let messages = messages.flat_map(rules::check_message);
    candles
        .concat(&messages)
        .key_by(|check| (Text::const_new(check.topic), Text::const_new(check.rule)))
        .window(Tumbling::new(settings.window))
        .accumulate(Findings::of)
        .rows(DataQuality::new)
        .trailing(1, |past, row| row.after(past.last()))
        .updates()
        .sink("data_quality");
}

/// What the checks of a rule add up to.
#[derive(Clone, Debug, Default, Serialize, Deserialize, Aggregate)]
struct Findings {
    violations: Count,
    records: Count,
    /// Of the rule `duplicate`: what was seen, and how often in all.
    seen: Distinct<(Text, Time)>,
    sightings: Count,
    /// Of the rule `gap`: when.
    spans: Spans,
}

/// A row of `data_quality`.
#[derive(Clone, Serialize, Deserialize, Row)]
struct DataQuality {
    window: Window,
    topic: Text,
    rule: Text,
    violations: i64,
    records: Count,
    /// Of the rule `gap`: when each symbol was first and last seen in the window, and last of all.
    #[row(skip)]
    ends: Ends,
}

impl Findings {
    fn of(check: &Check) -> Findings {
        let (violations, records) = (Count::of(check.broken), Count::one());
        let mut findings = Findings { violations, records, ..Findings::default() };
        if let Some((symbol, time)) = &check.sighting {
            match check.rule {
                rules::GAP => findings.spans = Spans::of(symbol, *time),
                _ => {
                    findings.seen = Distinct::of(&(symbol.clone(), *time));
                    findings.sightings = Count::one();
                }
            }
        }
        findings
    }
}

impl DataQuality {
    fn new((topic, rule): (Text, Text), window: Window, findings: Findings) -> DataQuality {
        let repeated = findings.sightings.get() - findings.seen.get();
        let violations = findings.violations.get() + repeated + findings.spans.gaps();
        let (records, ends) = (findings.records, findings.spans.ends());
        DataQuality { window, topic, rule, violations, records, ends }
    }

    /// The row behind another one of its rule: a gap counts where it ends.
    fn after(mut self, before: Option<&DataQuality>) -> DataQuality {
        if let Some(before) = before {
            self.violations += self.ends.follow(&before.ends);
        }
        self
    }
}
