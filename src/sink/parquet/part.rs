//! The names of files.

use crate::sink::Shard;

/// The generation of processes that write: there is one until a supervisor starts others.
pub(super) const GENERATION: u32 = 0;

/// What a file is called before it is whole. Readers skip names that begin with a point.
pub(super) fn partial(worker: usize, number: u32) -> String {
    format!(".part-{worker:05}-{number}.partial")
}

/// What it is called then.
pub(super) fn whole(epoch: u64, worker: usize, number: u32, suffix: &str) -> String {
    format!("part-{epoch:010}-{GENERATION}-{worker:05}-{number}{suffix}")
}

/// A file of rows that were delivered, in a job with checkpoints: which rows they are is in the
/// name, so that one that is delivered again is recognised.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Delivered {
    /// The last epoch of the delivery, and the first one.
    pub(super) last: u64,
    pub(super) first: u64,
    /// The attempt that started from nothing.
    pub(super) life: u64,
    pub(super) worker: usize,
    /// Number of the file, of so many that make the delivery.
    pub(super) number: u32,
    pub(super) count: u32,
}

impl Delivered {
    pub(super) fn name(&self, suffix: &str) -> String {
        let Delivered { last, first, life, worker, number, count } = self;
        format!("part-{last:010}-{life}-{worker:05}-{number}-{first}-{count}{suffix}")
    }

    pub(super) fn read(name: &str) -> Option<Delivered> {
        let (fields, _) = name.strip_prefix("part-")?.split_once('.')?;
        let mut fields = fields.split('-').map(str::parse::<u64>);
        let mut next = || fields.next()?.ok();
        let (last, life, worker, number) = (next()?, next()?, next()?, next()?);
        let (first, count) = (next()?, next()?);
        let (worker, number) = (worker.try_into().ok()?, number.try_into().ok()?);
        let count = count.try_into().ok()?;
        let part = Delivered { last, first, life, worker, number, count };
        (next().is_none() && number < count && first <= last).then_some(part)
    }
}

/// Whether a name is one that a reader of the folder takes for data, or will be.
pub(super) fn is_part(name: &str) -> bool {
    let name = name.strip_prefix('.').unwrap_or(name);
    name.starts_with("part-") && (name.ends_with(".parquet") || name.ends_with(".partial"))
}

/// Whether a part is for the writer of a shard to remove: each has exactly one.
pub(super) fn is_of(name: &str, shard: Shard) -> bool {
    is_part(name) && worker(name).unwrap_or(0) % shard.count.max(1) == shard.index
}

/// The worker whose file it is; none if others wrote it.
fn worker(name: &str) -> Option<usize> {
    let mut fields = name.split(['-', '.']).filter(|field| !field.is_empty()).skip(1);
    if name.starts_with('.') {
        return fields.next()?.parse().ok();
    }
    let digits = |field: Option<&str>| field?.parse::<usize>().ok();
    digits(fields.next())?;
    digits(fields.next())?;
    digits(fields.next())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_part_is_removed_by_one_writer_whoever_wrote_it() {
        let names = [
            whole(7, 0, 0, ".snappy.parquet"),
            whole(7, 5, 12, ".parquet"),
            partial(3, 1),
            "part-00000-0123abcd-4567-89ab-cdef-0123456789ab-c000.snappy.parquet".into(),
            "part-x.parquet".into(),
        ];
        for count in 1..6 {
            for name in &names {
                let owners = (0..count).filter(|index| is_of(name, Shard { index: *index, count }));
                assert_eq!(owners.count(), 1, "{name} among {count}");
            }
        }
        assert_eq!(names[1], "part-0000000007-0-00005-12.parquet");
        let workers: Vec<_> = names.iter().map(|name| worker(name)).collect();
        assert_eq!(workers[..3], [Some(0), Some(5), Some(3)]);
    }

    #[test]
    fn what_was_delivered_is_in_the_name() {
        let (first, last, life) = (7, 4_000_000_000_000, 1_795_000_000_000_000);
        let part = Delivered { last, first, life, worker: 3, number: 1, count: 2 };
        let name = part.name(".snappy.parquet");
        assert_eq!(name, "part-4000000000000-1795000000000000-00003-1-7-2.snappy.parquet");
        assert_eq!(Delivered::read(&name), Some(part));
        assert!(is_part(&name) && is_of(&name, Shard { index: 3, count: 4 }));
        for other in [
            &*whole(7, 0, 0, ".snappy.parquet"),
            "part-1-2-3-2-1-2.parquet",
            "part-1-2-3-0-1-2-3.parquet",
            "part-1-2-3-0-2-1.parquet",
        ] {
            assert_eq!(Delivered::read(other), None, "{other}");
        }
    }

    #[test]
    fn other_files_are_left_alone() {
        for name in ["_SUCCESS", "part-1.csv", ".hidden", "parts", "x.parquet"] {
            assert!(!is_part(name), "{name}");
        }
    }
}
