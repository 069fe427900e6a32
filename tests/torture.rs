//! Every system, killed at points of every kind: at random instants and at named places, with one
//! to three workers that are threads or processes, and begun again with others. The rows of all
//! views, the letters, and the ledgers are those of a run that nobody disturbed.
//!
//! `make test` kills each system a few times; `HIGHWATER_KILLS` says how often, `make torture` a
//! thousand times in all.
//!
//! Views go in turn to files, which are told their length by the manifest, and to Parquet, which is
//! delivered; letters to Parquet.

mod earlier;

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use highwater::testing::{Dice, Scratch};

use crate::binary::highwater;
use crate::cluster::support::{Ended, Running, hosts, ledger};
use crate::recovery::parquet::rows;
use crate::systems::generated::{SYSTEMS, System};
use crate::systems::{dataflows, unstamped, unstamped_row, without_alerts};

const LIMIT: Duration = Duration::from_secs(120);

/// Points of a system if nobody asks for more.
const KILLS: usize = 8;

/// Kills of one job, from its beginning to its end.
const KILLS_PER_JOB: usize = 15;

/// What slows a job down, so that it can be killed many times.
const RATE: &str = "source.\"*\".max_rate_per_partition=400";

/// Places of a running job, and at which of their passages it may be killed.
const PLACES: [(&str, (u64, u64)); 17] = [
    ("ckpt.before_write", (5, 80)),
    ("ckpt.half_written", (5, 80)),
    ("ckpt.before_fsync", (5, 80)),
    ("ckpt.before_rename", (5, 80)),
    ("ckpt.before_dir_fsync", (5, 80)),
    ("ckpt.before_ack", (5, 80)),
    ("manifest.before_publish", (1, 8)),
    ("manifest.after_publish", (1, 8)),
    ("manifest.before_cleanup", (1, 8)),
    ("source.after_poll", (1, 400)),
    ("source.before_record_offsets", (1, 60)),
    ("sink.before_stage", (1, 20)),
    ("sink.after_stage", (1, 20)),
    ("sink.before_deliver", (1, 12)),
    ("sink.half_delivered", (1, 6)),
    ("sink.after_deliver", (1, 12)),
    ("sink.before_confirm", (1, 12)),
];

/// Places of a beginning; a job that has no checkpoint passes the last one alone.
const BEGINNINGS: [&str; 3] =
    ["restore.before_read", "restore.half_read", "restore.before_first_tick"];

#[test]
fn chat_is_killed_at_points_of_every_kind() {
    torture(0);
}

#[test]
fn elearning_is_killed_at_points_of_every_kind() {
    torture(1);
}

#[test]
fn campus_is_killed_at_points_of_every_kind() {
    torture(2);
}

#[test]
fn market_is_killed_at_points_of_every_kind() {
    torture(3);
}

#[test]
fn shop_is_killed_at_points_of_every_kind() {
    torture(4);
}

/// Who runs a job.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Workers {
    Threads(usize),
    Processes(usize),
}

/// How an attempt is to be killed.
#[derive(Clone, Copy)]
enum Point {
    /// After so many milliseconds.
    Instant(u64),
    /// At a passage of a place.
    Place(&'static str, u64),
}

/// What a run leaves behind: the lines of each view and of the letters, sorted.
type Left = BTreeMap<String, Vec<String>>;

/// A system, its events in files, and what it makes of them.
struct Case {
    system: &'static System,
    scratch: Scratch,
    /// Settings of the sources.
    sources: Vec<String>,
    /// Views, and whether they change without end.
    views: Vec<(String, bool)>,
    expected: Left,
    /// By port: records read, used, late, dead, duplicates.
    ledgers: Vec<[u64; 5]>,
}

fn torture(system: usize) {
    let asked = std::env::var("HIGHWATER_KILLS").ok().and_then(|kills| kills.parse().ok());
    let target = asked.map_or(KILLS, |all: usize| all.div_ceil(SYSTEMS.len()));
    let (case, mut dice) = (Case::new(&SYSTEMS[system]), Dice::new());
    let (mut points, mut jobs) = (BTreeMap::new(), 0);
    while points.values().sum::<usize>() < target {
        let before = points.values().sum::<usize>();
        case.job(jobs, (target - before).min(KILLS_PER_JOB), &mut dice, &mut points);
        jobs += 1;
        assert!(jobs <= 3 + target, "few points are reached: {points:?}");
    }
    let all: usize = points.values().sum();
    eprintln!("{}: {all} points in {jobs} jobs, all golden", case.system.name);
    points.iter().for_each(|(cell, count)| eprintln!("  {cell:40} {count:>5}"));
}

impl Case {
    fn new(system: &'static System) -> Case {
        let scratch = Scratch::new(&format!("torture-{}", system.name));
        let topics = scratch.path().join("topics");
        system.generate_files(scratch.path(), &topics);
        let (sources, views) = (system.bound_to_files(&topics), system.views());
        let (expected, ledgers) = (Left::new(), Vec::new());
        let mut case = Case { system, scratch, sources, views, expected, ledgers };
        let calm = case.folder("calm");
        let command = case.bound(&calm);
        let ended = Running::start(command, &calm, "calm").end(LIMIT);
        assert_eq!(ended.code, Some(0), "{}: {}", system.name, ended.err);
        case.expected = case.left(&calm);
        assert!(case.expected.values().all(|lines| !lines.is_empty()), "{:?}", case.expected);
        case.ledgers = case.counts(&ended);
        case
    }

    fn folder(&self, name: &str) -> PathBuf {
        let folder = self.scratch.path().join(name);
        fs::create_dir_all(&folder).unwrap();
        folder
    }

    /// `highwater run` of the system, with the rows of its views in a folder.
    fn bound(&self, dir: &Path) -> Command {
        let mut command = highwater();
        let overlay = format!("{}.kafka.toml", self.system.name);
        command.args(["run", self.system.name, "-c", &overlay]);
        let path = |name: &str| dir.join(name).to_str().unwrap().to_owned();
        let sinks = self.views.iter().enumerate().map(|(index, (view, is_table))| {
            let sink = match (is_table, is_file(index)) {
                (true, _) => "blackhole={}".into(),
                (_, true) => format!("rows=\"final\",file={{path={:?}}}", path(&csv(view))),
                (_, false) => format!("rows=\"final\",{}", parquet(&path(view))),
            };
            format!("sink.{view}={{{sink}}}")
        });
        let all_letters = format!("dead_letters={{{}}}", parquet(&path(&letters("{job}"))));
        let quiet = without_alerts(self.system.name).map(String::from);
        let sets = self.sources.iter().cloned().chain(sinks).chain([all_letters]).chain(quiet);
        command.args(sets.flat_map(|set| ["--set".into(), set]));
        command.env("TRIGGER_INTERVAL", "100 ms");
        command
    }

    /// The same with checkpoints, and slowly.
    fn kept(&self, dir: &Path) -> Command {
        let mut command = self.bound(dir);
        let path = format!("checkpoint.path={:?}", dir.join("checkpoints").to_str().unwrap());
        for set in [RATE, "checkpoint.every=100ms", &path] {
            command.args(["--set", set]);
        }
        command
    }

    /// A job that is killed so many times at most, and then left to end. Counts the points.
    fn job(&self, job: usize, kills: usize, dice: &mut Dice, points: &mut BTreeMap<String, usize>) {
        let dir = self.folder(&format!("job-{job}"));
        let mut reached = 0;
        let mut history = Vec::new();
        let ended = loop {
            let workers = workers(dice);
            let point = (reached < kills).then(|| point(dice, history.is_empty()));
            let ended = self.attempt((&dir, history.len()), workers, point, dice);
            let said = |words: &str| {
                let name = self.system.name;
                format!("{name}, job {job}, {}: {words}: {}", history.join(", "), ended.err)
            };
            let reaches = ended.code.is_none();
            match point {
                Some(point) if reaches => {
                    *points.entry(format!("{workers}, {}", point.kind())).or_default() += 1;
                    reached += 1;
                    history.push(format!("{workers} {point}"));
                }
                Some(_) | None if ended.code == Some(0) => break ended,
                _ => panic!("{}", said("ends like that")),
            }
        };
        let at = format!("{}, job {job}: {}", self.system.name, history.join(", "));
        self.assert_same((&dir, &at), &ended);
        fs::remove_dir_all(&dir).unwrap();
    }

    /// What a job leaves behind is what a run without a fault has left.
    fn assert_same(&self, (dir, at): (&Path, &str), ended: &Ended) {
        for (view, lines) in self.left(dir) {
            let expected = &self.expected[&view];
            let missing: Vec<_> = expected.iter().filter(|line| !lines.contains(line)).collect();
            let twice = lines.windows(2).find(|pair| pair[0] == pair[1]);
            let counts = format!("{} of {} rows", lines.len(), expected.len());
            assert!(lines == *expected, "{at}: {view}: {counts}, {missing:?}, {twice:?}");
        }
        // A kill behind the last manifest leaves nothing to do, and nothing to count.
        if !ended.err.contains("was read to the end") {
            assert_eq!(self.counts(ended), self.ledgers, "{at}: {}", ended.err);
        }
    }

    /// An attempt that is killed, or ends before. Of several processes, how the one ends that is
    /// to be killed.
    fn attempt(
        &self,
        (dir, number): (&Path, usize),
        workers: Workers,
        point: Option<Point>,
        dice: &mut Dice,
    ) -> Ended {
        let count = match workers {
            Workers::Threads(_) => 1,
            Workers::Processes(count) => count,
        };
        let hosts = hosts(dir, count);
        let victim = dice.below(count as u64) as usize;
        let start = |index: usize| {
            let mut command = self.kept(dir);
            match workers {
                Workers::Threads(threads) => command.args(["-w", &threads.to_string()]),
                Workers::Processes(count) => {
                    let [count, index] = [count, index].map(|number| number.to_string());
                    command.args(["-n", &count, "-p", &index, "-h"]).arg(&hosts)
                }
            };
            if let (Some(Point::Place(place, passage)), true) = (point, index == victim) {
                command.env("HIGHWATER_FAILPOINTS", format!("{place}=kill@{passage}"));
            }
            Running::start(command, dir, &format!("attempt-{number}-{index}"))
        };
        let running: Vec<Running> = (0..count).map(start).collect();
        if let Some(Point::Instant(after)) = point {
            std::thread::sleep(Duration::from_millis(after));
            running[victim].signal("KILL");
        }
        let mut ended: Vec<Ended> = running.into_iter().map(|one| one.end(LIMIT)).collect();
        let is_killed = ended[victim].code.is_none();
        for (index, one) in ended.iter().enumerate().filter(|(index, _)| *index != victim) {
            let fine = one.code == Some(0) || (is_killed && one.code == Some(75));
            assert!(fine, "process {index} ends with {:?}: {}", one.code, one.err);
        }
        if let (Some(Point::Place(place, passage)), true) = (point, is_killed) {
            let said = format!("failpoint {place}: Kill at passage {passage}");
            assert!(ended[victim].err.contains(&said), "{}", ended[victim].err);
        }
        // What they say together: each prints the ledgers of its own partitions.
        let said: Vec<String> = ended.iter().map(|one| one.err.clone()).collect();
        Ended { err: said.join("\n"), ..ended.swap_remove(victim) }
    }

    fn left(&self, dir: &Path) -> Left {
        let views = self.views.iter().enumerate().filter(|(_, (_, is_table))| !is_table);
        let lines = views.map(|(index, (view, _))| {
            let lines = match is_file(index) {
                true => lines(&dir.join(csv(view))),
                false => rows(dir, view).iter().map(|row| unstamped_row(row).into()).collect(),
            };
            (view.clone(), lines)
        });
        let jobs = dataflows(self.system.name).map(|dataflow| letters(dataflow.name));
        lines.chain(jobs.map(|name| (name.clone(), rows(dir, &name)))).collect()
    }

    fn counts(&self, ended: &Ended) -> Vec<[u64; 5]> {
        let ports = self.system.ports().into_iter();
        let counts = ports.map(|port| [0, 1, 2, 3, 4].map(|at| ledger(&ended.err, &port.name, at)));
        counts.collect()
    }
}

fn csv(view: &str) -> String {
    format!("{view}.csv")
}

fn letters(job: &str) -> String {
    format!("letters-{job}")
}

/// The lines of a CSV file without what a sink has stamped, sorted.
fn lines(path: &Path) -> Vec<String> {
    let text = fs::read_to_string(path).unwrap();
    let mut lines: Vec<String> = unstamped(&text).into_iter().map(String::from).collect();
    lines.sort();
    lines
}

/// A binding to files that hold a few epochs each.
fn parquet(path: &str) -> String {
    format!("parquet={{path={path:?},roll_every=\"300ms\"}}")
}

/// Whether a view goes to a file; else it goes to Parquet.
fn is_file(index: usize) -> bool {
    index.is_multiple_of(2)
}

fn workers(dice: &mut Dice) -> Workers {
    match (dice.between(1, 4) as usize, dice.below(2)) {
        (count, 0) => Workers::Threads(count),
        (count, _) => Workers::Processes(count),
    }
}

fn point(dice: &mut Dice, first: bool) -> Point {
    match dice.below(8) {
        0..3 => Point::Instant(dice.between(100, 1_500)),
        3 if !first => Point::Place(BEGINNINGS[dice.below(3) as usize], 1),
        _ => {
            let (place, (low, high)) = PLACES[dice.below(PLACES.len() as u64) as usize];
            Point::Place(place, dice.between(low, high))
        }
    }
}

impl Point {
    fn kind(&self) -> &'static str {
        match self {
            Point::Instant(_) => "at an instant",
            Point::Place(place, _) => place,
        }
    }
}

impl fmt::Display for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Point::Instant(after) => write!(f, "after {after} ms"),
            Point::Place(place, passage) => write!(f, "at {place}@{passage}"),
        }
    }
}

impl fmt::Display for Workers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Workers::Threads(count) => write!(f, "{count} threads"),
            Workers::Processes(count) => write!(f, "{count} processes"),
        }
    }
}
