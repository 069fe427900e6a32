//! The smallest case that still fails, by dropping and simplifying one thing at a time.

use std::ops::Range;

use super::cases::Case;
use super::job::{End, Job, Kind, Record, Rule, View};

/// The most cases that one shrinking asks about.
const TRIES_MAX: usize = 20_000;

/// Shrinks a case that fails to one from which nothing more can be taken.
pub(crate) fn shrink(case: Case, fails: impl Fn(&Case) -> bool) -> Case {
    let mut best = case;
    let mut tries = 0;
    loop {
        let mut is_smaller = false;
        for change in changes(&best) {
            let mut candidate = best.clone();
            change.apply(&mut candidate);
            prune(&mut candidate.job);
            if candidate == best || candidate.job.views.is_empty() {
                continue;
            }
            tries += 1;
            if TRIES_MAX < tries {
                return best;
            }
            if fails(&candidate) {
                best = candidate;
                is_smaller = true;
            }
        }
        if !is_smaller {
            return best;
        }
    }
}

/// One step toward a simpler case. Applied to a case that has shrunk meanwhile it may refer to what
/// is gone; it then does nothing.
enum Change {
    DropView(usize),
    RowsOnly { view: usize, of: usize },
    DropInput { windows: usize, source: usize },
    DropPartition { source: usize, partition: usize },
    DropRecords { source: usize, partition: usize, offsets: Range<usize> },
    Record { source: usize, partition: usize, offset: usize, simplify: fn(&mut Record) },
    Case(fn(&mut Case)),
    Unfilter { windows: usize },
}

/// All steps, the largest first; later ones of a kind come first, so that they move no others.
fn changes(case: &Case) -> Vec<Change> {
    let job = &case.job;
    let mut changes = Vec::new();
    changes.extend((0..job.views.len()).rev().map(Change::DropView));
    for (view, of) in job.views.iter().enumerate() {
        match *of {
            View::Join { left, right } | View::LeftJoin { left, right } => {
                changes.push(Change::RowsOnly { view, of: left });
                changes.push(Change::RowsOnly { view, of: right });
            }
            View::Trailing { of, .. } => changes.push(Change::RowsOnly { view, of }),
            View::Rows { .. } | View::Raw { .. } => {}
        }
    }
    for (windows, windowed) in job.windows.iter().enumerate() {
        let drop = |source: &usize| Change::DropInput { windows, source: *source };
        changes.extend(windowed.sources.iter().map(drop));
    }
    for (source, of) in job.sources.iter().enumerate() {
        for partition in (0..of.partitions.len()).rev() {
            changes.push(Change::DropPartition { source, partition });
        }
    }
    for (source, of) in job.sources.iter().enumerate() {
        for (partition, log) in of.partitions.iter().enumerate() {
            let mut len = log.records.len();
            while 0 < len {
                for start in (0..log.records.len()).step_by(len).rev() {
                    let offsets = start..start + len;
                    changes.push(Change::DropRecords { source, partition, offsets });
                }
                len /= 2;
            }
        }
    }
    changes.extend(WHOLE.map(Change::Case));
    changes.extend((0..job.windows.len()).map(|windows| Change::Unfilter { windows }));
    for (source, of) in job.sources.iter().enumerate() {
        for (partition, log) in of.partitions.iter().enumerate() {
            for offset in 0..log.records.len() {
                let of = |simplify| Change::Record { source, partition, offset, simplify };
                changes.extend(RECORD.map(of));
            }
        }
    }
    changes
}

/// The next lower multiple of a step; the least of all where there is none.
fn floor(time_us: i64, step_us: i64) -> i64 {
    time_us.div_euclid(step_us).saturating_mul(step_us)
}

/// What can be simpler in a record.
const RECORD: [fn(&mut Record); 6] = [
    |record| record.key = Some(0),
    |record| record.value = 1,
    |record| record.id = None,
    |record| record.record_time_us = None,
    |record| record.time_us = record.time_us.map(|time| floor(time, 1_000_000)),
    |record| record.time_us = record.time_us.map(|time| floor(time, 1_000)),
];

/// What can be simpler in the whole case.
const WHOLE: [fn(&mut Case); 11] = [
    |case| case.end = End::Finished,
    |case| case.interleaving = 0,
    |case| case.job.sources.iter_mut().for_each(|source| source.dedup_us = None),
    |case| case.job.sources.iter_mut().for_each(|source| source.future_skew_us = None),
    |case| case.job.sources.iter_mut().for_each(|source| source.delay_us = 0),
    |case| case.job.sources.iter_mut().for_each(|source| source.rule = Rule::Window),
    |case| {
        let partitions = case.job.sources.iter_mut().flat_map(|source| &mut source.partitions);
        partitions.for_each(|partition| partition.batches.clear());
    },
    |case| {
        for view in &mut case.job.views {
            if let View::Raw { filter, .. } = view {
                *filter = None;
            }
        }
    },
    // All windows at once: the sides of a join stay equal.
    |case| {
        for windowed in &mut case.job.windows {
            match &mut windowed.kind {
                Kind::Tumbling { offset_us, .. } | Kind::Sliding { offset_us, .. } => {
                    *offset_us = 0;
                }
                Kind::Session { .. } => {}
            }
        }
    },
    |case| {
        for windowed in &mut case.job.windows {
            if let Kind::Sliding { size_us, offset_us, .. } = windowed.kind {
                windowed.kind = Kind::Tumbling { size_us, offset_us };
            }
        }
    },
    shift,
];

/// Moves all times by whole days, so that the first one is on the first day of 1970.
fn shift(case: &mut Case) {
    let partitions = || case.job.sources.iter().flat_map(|source| &source.partitions);
    let times = partitions().flat_map(|log| &log.records).filter_map(|record| record.time_us);
    let Some(first_us) = times.min() else { return };
    let days_us = floor(first_us, 86_400_000_000);
    for source in &mut case.job.sources {
        for record in source.partitions.iter_mut().flat_map(|log| &mut log.records) {
            for time in [&mut record.time_us, &mut record.record_time_us] {
                *time = time.map(|time| time.saturating_sub(days_us));
            }
        }
    }
}

impl Change {
    fn apply(&self, case: &mut Case) {
        let job = &mut case.job;
        match self {
            Change::DropView(view) if *view < job.views.len() => {
                job.views.remove(*view);
            }
            Change::RowsOnly { view, of } if *of < job.windows.len() => {
                if let Some(view) = job.views.get_mut(*view) {
                    *view = View::Rows { of: *of };
                }
            }
            Change::DropInput { windows, source } => {
                if let Some(windowed) = job.windows.get_mut(*windows)
                    && 1 < windowed.sources.len()
                {
                    windowed.sources.retain(|of| of != source);
                }
            }
            Change::DropPartition { source, partition } => {
                if let Some(source) = job.sources.get_mut(*source)
                    && 1 < source.partitions.len()
                    && *partition < source.partitions.len()
                {
                    source.partitions.remove(*partition);
                }
            }
            Change::DropRecords { source, partition, offsets } => {
                if let Some(records) = records(job, *source, *partition) {
                    let end = offsets.end.min(records.len());
                    records.drain(offsets.start.min(end)..end);
                }
            }
            Change::Record { source, partition, offset, simplify } => {
                let records = records(job, *source, *partition);
                if let Some(record) = records.and_then(|records| records.get_mut(*offset)) {
                    simplify(record);
                }
            }
            Change::Unfilter { windows } => {
                if let Some(windowed) = job.windows.get_mut(*windows) {
                    windowed.filter = None;
                }
            }
            Change::Case(simplify) => simplify(case),
            Change::DropView(_) | Change::RowsOnly { .. } => {}
        }
    }
}

fn records(job: &mut Job, source: usize, partition: usize) -> Option<&mut Vec<Record>> {
    Some(&mut job.sources.get_mut(source)?.partitions.get_mut(partition)?.records)
}

/// Takes out windows that no view reads, then sources that nothing reads.
fn prune(job: &mut Job) {
    for windows in (0..job.windows.len()).rev() {
        let mut is_read = false;
        each_windows(job, |of| is_read |= *of == windows);
        if !is_read {
            job.windows.remove(windows);
            each_windows(job, |of| *of -= usize::from(windows < *of));
        }
    }
    for source in (0..job.sources.len()).rev() {
        let mut is_read = false;
        each_source(job, |of| is_read |= *of == source);
        if !is_read {
            job.sources.remove(source);
            each_source(job, |of| *of -= usize::from(source < *of));
        }
    }
}

/// Visits every index into `job.windows`.
fn each_windows(job: &mut Job, mut visit: impl FnMut(&mut usize)) {
    for view in &mut job.views {
        match view {
            View::Rows { of } | View::Trailing { of, .. } => visit(of),
            View::Join { left, right } | View::LeftJoin { left, right } => {
                visit(left);
                visit(right);
            }
            View::Raw { .. } => {}
        }
    }
}

/// Visits every index into `job.sources`.
fn each_source(job: &mut Job, mut visit: impl FnMut(&mut usize)) {
    for windowed in &mut job.windows {
        windowed.sources.iter_mut().for_each(&mut visit);
    }
    for view in &mut job.views {
        if let View::Raw { source, .. } = view {
            visit(source);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::reference;
    use super::*;

    #[test]
    fn a_case_shrinks_to_the_one_record_that_matters() {
        let is_late = |case: &Case| {
            let outcome = reference::run(&case.job, case.end);
            outcome.ledgers.iter().flatten().any(|ledger| 0 < ledger.late)
        };
        let large = (0..).map(Case::random).find(|case| is_late(case) && 1 < case.job.views.len());
        let small = shrink(large.expect("some case has a late record"), is_late);
        // One record moves the watermark, the other is late.
        let logs: Vec<_> = small.job.sources.iter().flat_map(|source| &source.partitions).collect();
        assert_eq!((logs.len(), logs[0].records.len()), (1, 2), "{small:?}");
        assert_eq!((small.job.views.len(), small.job.windows.len()), (1, 1), "{small:?}");
        assert!(is_late(&small));
    }

    #[test]
    fn what_fails_always_shrinks_to_next_to_nothing() {
        for seed in 0..50 {
            let small = shrink(Case::random(seed), |_| true);
            let records = small.job.sources.iter().flat_map(|source| &source.partitions);
            assert_eq!(records.map(|partition| partition.records.len()).sum::<usize>(), 0);
            assert_eq!((small.job.views.len(), small.job.sources.len()), (1, 1), "{small:?}");
        }
    }

    #[test]
    fn indices_stay_valid_while_a_case_shrinks() {
        for seed in 0..50 {
            // Runs every candidate; an index that leads nowhere would panic.
            shrink(Case::random(seed), |case| {
                let outcome = reference::run(&case.job, case.end);
                seed % 2 == 0 && outcome.rows.iter().any(|rows| rows.len() % 2 == 1)
            });
        }
    }
}
