//! One simulated case: a workload and a scenario, from a seed; attempts to run the job until its
//! input has ended, and what must then be true.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use highwater::checkpoint::{Directory, Manifest, Options, Store};
use highwater::error::{Error, Kind, Result};
use highwater::letter::Letter;
use highwater::row::Cell;
use highwater::runtime::{self, BoundSink, BoundSource, Job, Pace, Stop, Workers};
use highwater::testing::Dice;
use highwater::testing::simulation::{
    Climate, DiskFaults, Kill, Logged, Place, PlaceFaults, SimulatedDisk, SimulatedLog, Trace, Way,
    World,
};
use highwater::time::{millis, seconds};

use super::reference::{Expected, expected};
use super::workload::{Shown, WORKLOADS, Workload, bytes, describe, logs};

/// What happens to a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scenario {
    Undisturbed,
    /// Killed, and begun again with as many workers.
    Kill,
    /// The same with other numbers of workers.
    Rescale,
    /// Sinks are away, slow, fail half way, lose answers; killed meanwhile.
    Outage,
    /// The disk is full, fails, loses what was not synced, turns a bit around; killed meanwhile.
    Disk,
    /// Clocks jump, stand still and are wrong; killed meanwhile.
    Clock,
}

pub(super) const SCENARIOS: [Scenario; 6] = [
    Scenario::Undisturbed,
    Scenario::Kill,
    Scenario::Rescale,
    Scenario::Outage,
    Scenario::Disk,
    Scenario::Clock,
];

/// Attempts of a case; later ones are left alone.
const ATTEMPTS_MAX: u64 = 60;

/// What a case has shown.
pub(super) struct Played {
    pub(super) workload: Workload,
    pub(super) scenario: Scenario,
    /// How often what the scenario is about has happened.
    pub(super) faults: u64,
    pub(super) kills: u64,
    pub(super) published: u64,
    pub(super) turns: u64,
    pub(super) turned_away: u64,
    /// Nothing was wrong, and the job said that it cannot go on from a damaged checkpoint.
    pub(super) refused: bool,
    pub(super) trace: Trace,
}

/// Workload and scenario of a seed: the first seeds are all pairs.
pub(super) fn of_seed(seed: u64) -> (Workload, Scenario) {
    let (workloads, scenarios) = (WORKLOADS.len() as u64, SCENARIOS.len() as u64);
    let scenario = SCENARIOS[(seed / workloads % scenarios) as usize];
    (WORKLOADS[(seed % workloads) as usize], scenario)
}

/// Plays the case of a seed; the error is what is wrong, and the end of the trace.
pub(super) fn play(seed: u64) -> Result<Played, String> {
    let (workload, scenario) = of_seed(seed);
    let mut sooner = 0;
    loop {
        let mut case = Case::new(seed, sooner);
        let outcome = case.run().and_then(|refused| match refused {
            true => Ok(true),
            false => case.check().map(|()| false),
        });
        let refused = outcome.map_err(|wrong| {
            format!(
                "{}seed {seed}, {workload:?}, {scenario:?}: {wrong}\n\
                 repeat it with: HIGHWATER_SEED={seed} make simulate\n",
                case.world.trace().last()
            )
        })?;
        let played = case.played(refused);
        if 0 < played.faults || sooner == SOONER_MAX {
            return Ok(played);
        }
        // Nothing has happened, so the case does not count: the same, with faults that come sooner.
        sooner += 1;
    }
}

/// So often faults are made to come sooner, each time in half the time.
const SOONER_MAX: u32 = 6;

impl fmt::Display for Played {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Played { workload, scenario, faults, kills, published, turns, turned_away, .. } = self;
        write!(
            f,
            "{workload:?}, {scenario:?}: {faults} faults, {kills} kills, {published} checkpoints, \
             {turns} turns, {turned_away} late deliveries turned away{}",
            if self.refused { ", refused to go on" } else { "" }
        )
    }
}

struct Case {
    workload: Workload,
    scenario: Scenario,
    dice: Dice,
    world: World,
    disk: SimulatedDisk,
    logs: Arc<Vec<Vec<Logged>>>,
    expected: Expected,
    places: BTreeMap<&'static str, Place>,
    letters: Place,
    pace: Pace,
    rows_max: usize,
    gather: Option<Duration>,
    batch_max: u64,
    published: Arc<Mutex<Published>>,
    /// Attempts that are cut short.
    kills: u64,
    /// About how many turns and acts an attempt has that is left alone.
    length: (u64, u64),
    /// How often faults are made to come in half the time.
    sooner: u32,
    flips: u64,
}

/// The checkpoints that were published.
#[derive(Default)]
struct Published {
    count: u64,
    last: Option<Manifest>,
    wrong: Vec<String>,
}

impl Case {
    fn new(seed: u64, sooner: u32) -> Case {
        let (workload, scenario) = of_seed(seed);
        let mut dice = Dice::of(seed ^ 0x5157_a1e5);
        let records = logs(&mut dice);
        let pace = Pace {
            tick: millis(dice.between(1, 6)),
            tick_max: millis(dice.between(6, 40)),
            ticks_per_epoch: dice.between(1, 9),
            in_flight_max: [1, 4, 32][dice.below(3) as usize],
        };
        let epoch = pace.tick * pace.ticks_per_epoch as u32;
        let climate = Climate {
            step_max: epoch / dice.between(8, 60) as u32,
            stalls: [0, 100, 400][dice.below(3) as usize],
            stall_max: epoch * dice.between(1, 12) as u32,
            jumps: if scenario == Scenario::Clock { 400 >> sooner } else { 0 },
            // Dozens of epochs at once: what an hour is for a job whose epoch takes a second would
            // be thousands.
            jump_max: epoch * 20,
            turns_max: 400_000,
        };
        let world = World::new(seed, climate);
        let places = workload.views().into_iter().map(|shown| {
            let way = way(&mut dice, &shown);
            let columns = if way == Way::Delivered && !shown.changes && dice.below(2) == 0 {
                &[]
            } else {
                shown.key
            };
            (shown.name, Place::new(&world, shown.name, way, key(workload, shown.name, columns)))
        });
        let places = places.collect();
        let letters = [Way::File, Way::Delivered][dice.below(2) as usize];
        Case {
            workload,
            scenario,
            disk: SimulatedDisk::new(&world),
            logs: bytes(&records),
            expected: expected(workload, &records),
            places,
            letters: Place::new(&world, "letters", letters, vec![]),
            pace,
            rows_max: [2, 20, 100_000][dice.below(3) as usize],
            gather: [None, Some(millis(3)), Some(millis(30))][dice.below(3) as usize],
            batch_max: [1, 5, 40][dice.below(3) as usize],
            published: Arc::default(),
            kills: match scenario {
                Scenario::Undisturbed => 0,
                Scenario::Kill | Scenario::Rescale => dice.between(1, 6),
                _ => dice.below(5),
            },
            length: (dice.between(200, 4_000) >> sooner, dice.between(20, 400) >> sooner),
            sooner,
            flips: 0,
            world,
            dice,
        }
    }

    /// Attempts until one comes to the end; whether the job refused to go on.
    fn run(&mut self) -> Result<bool, String> {
        let mut workers = self.dice.between(1, 4) as usize;
        for attempt in 0..ATTEMPTS_MAX {
            let kill = (attempt < self.kills).then(|| match self.dice.below(2) {
                0 => Kill::Turn(self.dice.between(1, self.length.0.max(2))),
                _ => Kill::Act(self.dice.between(1, self.length.1.max(2))),
            });
            let outcome = self.attempt(workers, kill);
            if let Some(stuck) = self.world.stuck() {
                return Err(stuck);
            }
            let error = match outcome {
                Ok(()) if !self.world.is_off() => return Ok(false),
                Ok(()) => Error::unreachable("killed at the very end"),
                Err(error) => error,
            };
            let killed = self.world.is_off();
            self.world.note_always(&format!("ended: {}", error.message()));
            let may_fail = self.scenario == Scenario::Disk
                && (error.kind() == Kind::Storage || error.message().contains("os error"));
            let refuses = 0 < self.flips && error.kind() == Kind::Config;
            if refuses && !killed && !may_fail {
                return Ok(true);
            }
            if !killed && !may_fail {
                return Err(format!("attempt {attempt} failed: {error}"));
            }
            self.between(killed);
            if self.scenario != Scenario::Kill {
                workers = self.dice.between(1, 4) as usize;
            }
        }
        Err(format!("{ATTEMPTS_MAX} attempts, and no end"))
    }

    /// What becomes of the disk between two attempts.
    fn between(&mut self, killed: bool) {
        match self.dice.below(3) {
            0 if killed => {
                self.world.note_always("the power is cut");
                self.disk.cut_power();
            }
            1 => {
                self.world.note_always("the system writes everything back");
                self.disk.survive();
            }
            _ => {}
        }
        if self.scenario != Scenario::Disk || self.flips != 0 || self.dice.below(4) != 0 {
            return;
        }
        let names = self.disk.names();
        let manifests = names.iter().filter(|name| Manifest::epoch_of(name).is_some()).count();
        if 1 < manifests {
            let name = &names[self.dice.below(names.len() as u64) as usize];
            self.flips += u64::from(self.disk.flip(name));
        }
    }

    fn attempt(&mut self, workers: usize, kill: Option<Kill>) -> Result<()> {
        let host = self.world.begin(workers, kill);
        let faults = match self.scenario {
            Scenario::Disk => {
                DiskFaults { one_in: self.dice.between(5, 40) >> self.sooner | 1, most: 30 }
            }
            _ => DiskFaults::default(),
        };
        let disk = Arc::new(self.disk.attach(faults));
        let mut job = self.job()?;
        let store = Directory::open_on(disk, Path::new("/checkpoints"))?;
        let store = Witness { store, published: self.published.clone(), tried: Mutex::default() };
        let options = Options { keep: self.dice.between(1, 4) as usize, age_max: seconds(600) };
        let generation = host.wall_time().micros().unsigned_abs();
        runtime::resume_from(&mut job, Arc::new(store), options, generation)?;
        let checkpoints = job.checkpoints.as_ref().expect("it has taken them up");
        if checkpoints.ended().is_some() {
            self.published.lock().unwrap().last = checkpoints.restored.clone();
            return Ok(());
        }
        let workers = Workers::threads(workers);
        runtime::run_on(&host, vec![Arc::new(job)], &workers, &Stop::new())
    }

    fn job(&mut self) -> Result<Job> {
        let workload = self.workload;
        let mut job = Job::new("simulated", move |flow| {
            describe(workload, flow);
            Ok(())
        });
        job.pace = self.pace;
        let connector = SimulatedLog {
            world: self.world.clone(),
            name: "events".into(),
            partitions: self.logs.clone(),
            batch_max: self.batch_max,
            stalls: [0, 10, 40][self.dice.below(3) as usize],
            stall_max: self.pace.tick * (4 * self.pace.ticks_per_epoch) as u32,
        };
        job.sources = [("events".into(), BoundSource::new(Arc::new(connector)))].into();
        for shown in workload.views() {
            let place = self.places[shown.name].clone();
            let mut bound = self.bound(shown.name, &place);
            bound.queue.key =
                if shown.changes { key(workload, shown.name, shown.key) } else { vec![] };
            job.sinks.insert(shown.name.into(), vec![bound]);
            let columns = shown.key.iter().map(|column| (*column).to_owned()).collect();
            job.settings.keys.insert(shown.name.into(), columns);
        }
        job.settings.forget_after = Duration::from_secs(1_000_000_000);
        let letters = self.letters.clone();
        job.letters = self.bound("dead letters", &letters);
        Ok(job)
    }

    fn bound(&mut self, name: &str, place: &Place) -> BoundSink {
        let faults = match self.scenario {
            Scenario::Outage => PlaceFaults {
                outages: self.dice.between(5, 60) >> self.sooner | 1,
                outage_max: self.pace.tick * (20 * self.pace.ticks_per_epoch) as u32,
                failures: self.dice.between(4, 30),
                most: 6,
            },
            _ => PlaceFaults::default(),
        };
        let mut bound = BoundSink::new(name, place.sink(faults));
        (bound.queue.rows_max, bound.queue.gather) = (self.rows_max, self.gather);
        bound
    }

    /// Compares what is there with what must be there.
    fn check(&self) -> Result<(), String> {
        for (view, place) in &self.places {
            let rows = place.rows().iter().map(|cells| format!("{cells:?}")).collect();
            let expected = self.expected.views.get(view).cloned().unwrap_or_default();
            compare(&format!("view `{view}`"), rows, expected)?;
        }
        let schema = Letter::schema();
        let columns = ["partition", "offset", "reason"].map(|name| schema.index(name).unwrap());
        let letter =
            |cells: Vec<Cell>| format!("{:?}", columns.map(|column| cells[column].clone()));
        let letters = self.letters.rows().into_iter().map(letter).collect();
        let expected = self.expected.letters.iter().map(|(partition, offset, reason)| {
            let reason = Cell::Text((*reason).into());
            format!("{:?}", [Cell::I32(*partition), Cell::I64(*offset), reason])
        });
        compare("letters", letters, expected.collect())?;
        let published = self.published.lock().unwrap();
        if let Some(wrong) = published.wrong.first() {
            return Err(wrong.clone());
        }
        let Some(last) = published.last.as_ref().filter(|last| last.done) else {
            return Err("the last checkpoint does not say that the input has ended".into());
        };
        for mark in last.sources.values().flatten() {
            let ledger = mark.ledger;
            let found = [ledger.read, ledger.used, ledger.late, ledger.dead, ledger.duplicates];
            let expected = self.expected.ledgers[mark.partition as usize];
            if found != expected {
                let partition = mark.partition;
                return Err(format!("ledger of {partition}: {found:?} instead of {expected:?}"));
            }
        }
        Ok(())
    }

    fn played(&self, refused: bool) -> Played {
        let counts = self.world.counts();
        let (disk, lost) = self.disk.damage();
        let places = self.places.values().chain([&self.letters]).map(Place::failed);
        let (failed, turned_away) = places.fold((0, 0), |(a, b), (c, d)| (a + c, b + d));
        let faults = match self.scenario {
            Scenario::Undisturbed => 1,
            Scenario::Kill | Scenario::Rescale => counts.kills,
            Scenario::Outage => failed,
            Scenario::Disk => disk + lost + self.flips,
            Scenario::Clock => counts.clocks,
        };
        Played {
            workload: self.workload,
            scenario: self.scenario,
            faults,
            kills: counts.kills,
            published: self.published.lock().unwrap().count,
            turns: counts.turns,
            turned_away,
            refused,
            trace: self.world.trace(),
        }
    }
}

/// A way that suits a view.
fn way(dice: &mut Dice, shown: &Shown) -> Way {
    match (shown.changes, shown.goes) {
        (false, _) => [Way::File, Way::Table, Way::Delivered][dice.below(3) as usize],
        (true, false) => [Way::Table, Way::Delivered][dice.below(2) as usize],
        // A table that is written at once may keep rows of an attempt that was killed.
        (true, true) => Way::Delivered,
    }
}

/// Indices of key columns.
fn key(workload: Workload, view: &str, columns: &[&str]) -> Vec<usize> {
    let job = Job::new("simulated", move |flow| {
        describe(workload, flow);
        Ok(())
    });
    let schemas = job.schemas().expect("the dataflow is sound");
    columns.iter().map(|column| schemas[view].index(column).expect("a column")).collect()
}

fn compare(what: &str, mut found: Vec<String>, mut expected: Vec<String>) -> Result<(), String> {
    found.sort();
    expected.sort();
    if found == expected {
        return Ok(());
    }
    let (have, want): (BTreeSet<_>, BTreeSet<_>) =
        (found.iter().collect(), expected.iter().collect());
    let missing: Vec<_> = want.difference(&have).take(3).collect();
    let extra: Vec<_> = have.difference(&want).take(3).collect();
    let (found, expected) = (found.len(), expected.len());
    Err(format!(
        "{what} has {found} rows instead of {expected}; missing {missing:#?}, too many {extra:#?}"
    ))
}

/// A store that looks at each checkpoint that is published.
struct Witness {
    store: Directory,
    published: Arc<Mutex<Published>>,
    /// What was published last, without an answer that it was: it is there if it is read again.
    tried: Mutex<Vec<u8>>,
}

impl Witness {
    fn look(&self, bytes: &[u8]) {
        let mut published = self.published.lock().unwrap();
        let Ok(manifest) = Manifest::read(bytes) else { return };
        published.count += 1;
        for mark in manifest.sources.values().flatten() {
            if !mark.ledger.adds_up() {
                let epoch = manifest.epoch;
                published
                    .wrong
                    .push(format!("checkpoint {epoch}: {:?} do not add up", mark.ledger));
            }
        }
        published.last = Some(manifest);
    }
}

impl Store for Witness {
    fn name(&self) -> String {
        self.store.name()
    }

    fn put(&self, name: &str, bytes: &[u8]) -> Result<()> {
        self.store.put(name, bytes)
    }

    fn publish(&self, name: &str, bytes: &[u8]) -> Result<bool> {
        self.tried.lock().unwrap().clear();
        let outcome = self.store.publish(name, bytes);
        match outcome {
            Ok(true) => self.look(bytes),
            _ => bytes.clone_into(&mut self.tried.lock().unwrap()),
        }
        outcome
    }

    fn get(&self, name: &str) -> Result<Option<Vec<u8>>> {
        let found = self.store.get(name)?;
        let tried = std::mem::take(&mut *self.tried.lock().unwrap());
        if found.as_ref().is_some_and(|bytes| !bytes.is_empty() && *bytes == tried) {
            self.look(&tried);
        }
        Ok(found)
    }

    fn list(&self) -> Result<Vec<String>> {
        self.store.list()
    }

    fn delete(&self, name: &str) -> Result<()> {
        self.store.delete(name)
    }

    fn rename(&self, name: &str, other: &str) -> Result<()> {
        self.store.rename(name, other)
    }
}
