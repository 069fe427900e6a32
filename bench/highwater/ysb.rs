//! The Yahoo Streaming Benchmark: views ─► the campaign of the advertisement ─► counted per 10 s.

use highwater::prelude::*;
use highwater_bench::workloads::ysb::{Shown, WINDOW_MS, campaigns};

use crate::start_ms;

/// Views of each campaign in ten seconds.
pub(crate) fn ysb(flow: &Flow, _: &mut Parameters) -> Result<()> {
    #[derive(Clone, Row)]
    struct Viewed {
        key: Text,
        start: i64,
        events: Count,
    }
    let campaigns = campaigns();
    flow.source("ysb", seconds(1), |shown: &Shown| shown.event_time)
        .filter(|shown| shown.event_type.as_deref() == Some("view"))
        .filter_map(move |shown| campaigns.get(shown.ad_id.as_ref()?).cloned())
        .key_by(|campaign| campaign.clone())
        .window(Tumbling::new(millis(WINDOW_MS as u64)))
        .accumulate(|_| Count::one())
        .rows(|key, window, events| Viewed { key, start: start_ms(window), events })
        .sink("rows");
    Ok(())
}

#[cfg(test)]
mod tests {
    use highwater_bench::workloads::queries::ResultRow;
    use highwater_bench::workloads::ysb::{Answer, PARTITIONS, Plan};

    use crate::tests::{PACES, run};

    #[test]
    fn views_of_campaigns_are_those_that_one_thread_counts() {
        for skewed in [false, true] {
            let start_us = 1_767_225_600_000_000;
            let plan = Plan { seed: 1, events: 20_000, start_us, rate: 500, skewed };
            let mut partitions = vec![Vec::new(); PARTITIONS as usize];
            for n in 0..plan.events {
                let mut out = String::new();
                let partition = plan.write(n, &mut out);
                partitions[partition as usize].push(out);
            }
            for pace in PACES {
                let ran = run("ysb", "ysb", &[], &partitions, pace);
                let mut found = Answer::new();
                for row in ran.rows("rows") {
                    let row: ResultRow = serde_json::from_str(&row).unwrap();
                    let before = found.insert((row.start, row.key), row.events);
                    assert_eq!(before, None, "a final row comes once");
                }
                assert_eq!(found, plan.answer(), "{skewed} {pace:?}");
            }
        }
    }
}
