//! Synthetic windows: events, their sum and their different values, of each key.

use highwater::prelude::*;
use highwater_bench::workloads::windows::{Event, Shape};

use crate::start_ms;

/// Count, sum and exact distinct count of each key and window.
pub(crate) fn windows(flow: &Flow, parameters: &mut Parameters) -> Result<()> {
    #[derive(Clone, Row)]
    struct Summed {
        key: Option<i64>,
        start: i64,
        events: Count,
        sum: Sum<i64>,
        distinct: i64,
    }
    let Shape { size_ms, slide_ms, disorder_ms, .. } = Shape::default();
    let ms = |ms: i64| millis(ms.unsigned_abs());
    let size = parameters.duration("size", ms(size_ms))?;
    let slide = parameters.duration("slide", ms(slide_ms))?;
    let disorder = parameters.duration("disorder", ms(disorder_ms))?;
    flow.source("windows", disorder, |event: &Event| event.at)
        .key_by(|event| event.key)
        .window(Sliding::new(size, slide))
        .accumulate(|event| (Count::one(), Sum::of(event.value), Distinct::of(&event.value)))
        .rows(|key, window, (events, sum, distinct)| {
            let distinct: Distinct<i64> = distinct;
            Summed { key, start: start_ms(window), events, sum, distinct: distinct.get() }
        })
        .sink("rows");
    Ok(())
}

#[cfg(test)]
mod tests {
    use highwater::letter::Letter;
    use highwater::row::Cell;
    use highwater_bench::workloads::windows::{Answer, PARTITIONS, Plan, Values};
    use serde_json::Value;

    use super::*;
    use crate::tests::{PACES, Pace, run_with};

    fn found(plan: &Plan, parameters: &str, pace: Pace) -> Answer {
        let mut partitions = vec![Vec::new(); PARTITIONS as usize];
        for n in 0..plan.events {
            let mut out = String::new();
            let partition = plan.write(n, &mut out);
            partitions[partition as usize].push(out);
        }
        let table = parameters.replace('=', "='").replace(' ', "'\n") + "'";
        let table = table.parse().unwrap();
        let ran = run_with(&table, "windows", "windows", &[], &partitions, pace);
        let mut found = Answer::default();
        for row in ran.rows("rows") {
            let row: Value = serde_json::from_str(&row).unwrap();
            let number = |column: &str| row[column].as_i64().unwrap();
            let [events, sum, distinct] = ["events", "sum", "distinct"].map(number);
            let place = (number("start"), number("key"));
            let before = found.rows.insert(place, Values { events, sum, distinct });
            assert_eq!(before, None, "a final row comes once");
        }
        let line_bytes = Shape::default().bytes as i64 + 1;
        let schema = Letter::schema();
        let column = |name: &str| schema.index(name).unwrap();
        for letter in ran.letters() {
            assert_eq!(letter[column("reason")], Cell::Text("late".into()));
            let (Cell::I32(partition), Cell::I64(offset)) =
                (&letter[column("partition")], &letter[column("offset")])
            else {
                panic!("{letter:?}");
            };
            // Files tell the byte at which a line begins.
            let place = (*partition as u32, offset / line_bytes);
            assert!(found.refused.insert(place), "refused once");
        }
        found
    }

    #[test]
    fn rows_and_refused_records_are_those_of_the_rule() {
        for parameters in [
            "size=4s slide=4s disorder=1s",
            "size=4s slide=1s disorder=1s",
            "size=6s slide=2s disorder=0s",
        ] {
            for rest in ["keys=50 late=0.05 skew=1", "keys=5000 late=0.2"] {
                let shape: Shape = format!("{parameters} {rest}").parse().unwrap();
                let plan = Plan::backlog(1, 12_000, 500, shape);
                let expected = plan.answer();
                assert!(!expected.refused.is_empty());
                for pace in PACES {
                    let found = found(&plan, parameters, pace);
                    let place = format!("{parameters} {rest} {pace:?}");
                    assert!(found.rows == expected.rows, "{place}");
                    assert!(found.refused == expected.refused, "{place}");
                }
            }
        }
    }
}
