//! The folder of a run: tables as CSV, latencies as HDR logs, facts about the machine. Each line is
//! in its file as soon as its trial is over, so that an interrupted run can be gone on with.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use highwater::error::{Error, Result};
use highwater::runtime::wall_time;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::experiment::Experiment;
use super::host::Host;
use super::latency::LatencyRow;

/// Results of another form than this are refused.
const SCHEMA: u32 = 1;

/// What `run.json` says of the whole run.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct About {
    /// The form of the tables.
    pub schema: u32,
    /// Name of the folder.
    pub run_id: String,
    /// Name of the experiment.
    pub experiment: String,
    /// Its text.
    pub text: String,
    /// The command that made it.
    pub command: String,
    /// The inputs were so much larger or smaller.
    pub scale: f64,
    /// Whether all trials are over.
    pub finished: bool,
}

/// A line of `runs.csv`: one trial. What does not apply is empty.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct RunRow {
    /// Name of the folder.
    pub run_id: String,
    /// When the trial began.
    pub utc: String,
    /// Its number in the experiment.
    pub trial: usize,
    /// Part of the experiment.
    pub part: String,
    /// Who.
    pub engine: String,
    /// Its version.
    pub engine_version: String,
    /// What was computed.
    pub query: String,
    /// Which rows.
    pub rows: String,
    /// Its place in the order ABBA.
    pub round: usize,
    /// Threads that computed.
    pub workers: usize,
    /// Events.
    pub events: u64,
    /// Seed of the events.
    pub seed: u64,
    /// Events a second that were planned.
    pub rate_planned: Option<u64>,
    /// Events a second that were sent.
    pub rate_achieved: Option<f64>,
    /// Seconds of load, and of these, at the beginning, not measured.
    pub duration_s: Option<u64>,
    /// See `duration_s`.
    pub warmup_s: Option<u64>,
    /// Load average before.
    pub load1_before: f64,
    /// Load average after.
    pub load1_after: f64,
    /// What the machine adds to a sleep of 1 ms: all but one of a hundred.
    pub hiccup_p99_us: Option<u64>,
    /// From the start of the process to its first row.
    pub first_row_s: Option<f64>,
    /// From the start to the last row that was missing (a limit: to its end).
    pub wall_s: Option<f64>,
    /// Processor seconds of the whole tree, from its start to its end.
    pub cpu_s: Option<f64>,
    /// Processor time under load, per cent of a core.
    pub cpu_percent: Option<f64>,
    /// Processor time with nothing to do, per cent of a core.
    pub idle_percent: Option<f64>,
    /// Greatest memory.
    pub peak_rss_kb: Option<u64>,
    /// Processor seconds of the broker meanwhile.
    pub broker_cpu_s: Option<f64>,
    /// Groups of the answer.
    pub rows_expected: usize,
    /// Groups that are right.
    pub rows_equal: usize,
    /// Groups with another value.
    pub rows_wrong: usize,
    /// Groups that are not there.
    pub rows_missing: usize,
    /// Groups that should not be there.
    pub rows_extra: usize,
    /// Greatest relative error of approximate columns, where the engine has such.
    pub approximate_error: Option<f64>,
    /// `ok`, `mismatch`, `invalid_generator`, `timeout`, `failed:WHY`, `skipped:WHY`.
    pub status: String,
}

/// A line of `verify.csv`: a value that differs.
#[derive(Debug, Serialize, Deserialize)]
pub struct VerifyRow {
    /// The trial.
    pub trial: usize,
    /// Begin of the window, in milliseconds.
    pub window_start_ms: i64,
    /// The group.
    pub key: String,
    /// Which column.
    pub column: String,
    /// What the answer has.
    pub expected: Option<i64>,
    /// What the engine has.
    pub got: Option<i64>,
    /// `wrong`, `missing`, `extra`, `approx`.
    pub verdict: String,
}

/// A line of `throughput.csv`: an engine at a second of its load; counters grow.
#[derive(Debug, Serialize, Deserialize)]
pub struct ThroughputRow {
    /// The trial.
    pub trial: usize,
    /// Since the start of the load.
    pub t_ms: i64,
    /// Events that were due.
    pub events_due: u64,
    /// Rows that were received.
    pub rows_out: u64,
    /// Resident memory.
    pub rss_kb: u64,
    /// Processor seconds since the start of the process.
    pub cpu_s: f64,
}

/// A line of `limits.csv`.
#[derive(Debug, Serialize, Deserialize)]
pub struct LimitRow {
    /// What was measured.
    pub what: String,
    /// In what.
    pub unit: String,
    /// How much, if it could be measured.
    pub value: Option<f64>,
    /// `ok`, or `skipped:WHY`; earlier versions have skipped nothing, and said nothing.
    #[serde(default)]
    pub status: String,
}

/// A folder that is being written.
pub struct Folder {
    dir: PathBuf,
    about: About,
}

impl Folder {
    /// Makes a new one.
    ///
    /// # Errors
    ///
    /// It cannot be made.
    pub fn create(results: &Path, experiment: &Experiment, scale: f64) -> Result<Folder> {
        let host = Host::look();
        let utc = wall_time().to_string().replace([':', '-'], "");
        let dirty = if host.dirty { "-dirty" } else { "" };
        let run_id = format!("{}Z-{}-{}{dirty}", &utc[..15], experiment.name, host.commit);
        let dir = results.join(&run_id);
        fs::create_dir_all(&dir).map_err(|error| cannot_write(&dir, &error))?;
        let about = About {
            schema: SCHEMA,
            run_id,
            experiment: experiment.name.clone(),
            text: experiment.text.clone(),
            command: std::env::args().skip(1).collect::<Vec<_>>().join(" "),
            scale,
            finished: false,
        };
        let folder = Folder { dir, about };
        folder.write_json("host.json", &host)?;
        folder.write_json("run.json", &folder.about)?;
        Ok(folder)
    }

    /// Goes on with the newest one of an experiment that is not finished.
    ///
    /// # Errors
    ///
    /// There is none, or it is of another form or scale.
    pub fn resume(results: &Path, experiment: &Experiment, scale: f64) -> Result<Folder> {
        let mut unfinished: Vec<(PathBuf, About)> = Vec::new();
        for dir in dirs(results) {
            if let Ok(about) = read_about(&dir)
                && !about.finished
                && about.experiment == experiment.name
            {
                unfinished.push((dir, about));
            }
        }
        let Some((dir, about)) = unfinished.pop() else {
            let why =
                format!("no unfinished run of `{}` in {}", experiment.name, results.display());
            return Err(Error::usage(why).hint("leave out --resume"));
        };
        if about.scale != scale || about.text != experiment.text {
            return Err(Error::usage(format!("{} ran something else", dir.display()))
                .hint(format!("it had --scale {} and the text in its run.json", about.scale)));
        }
        Ok(Folder { dir, about })
    }

    /// Where it is.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Its name.
    pub fn run_id(&self) -> &str {
        &self.about.run_id
    }

    /// Appends lines to a table, and sees to it that they are there: all of them, or none.
    ///
    /// # Errors
    ///
    /// The file cannot be written.
    pub fn append<R: Serialize>(&mut self, table: &'static str, rows: &[R]) -> Result<()> {
        let path = self.dir.join(table);
        let failed = |error: &dyn std::fmt::Display| cannot_write(&path, error);
        let file = File::options().create(true).append(true).open(&path);
        let mut file = file.map_err(|error| failed(&error))?;
        let before = file.metadata().map_err(|error| failed(&error))?.len();
        let mut lines = csv::WriterBuilder::new().has_headers(before == 0).from_writer(vec![]);
        for row in rows {
            lines.serialize(row).map_err(|error| failed(&error))?;
        }
        let lines = lines.into_inner().map_err(|error| failed(&error))?;
        file.write_all(&lines).map_err(|error| {
            // Half a line would make the table unreadable, and the run could not be gone on with.
            let _ = file.set_len(before);
            failed(&error)
        })
    }

    /// Says that all trials are over.
    ///
    /// # Errors
    ///
    /// The file cannot be written.
    pub fn finish(&mut self) -> Result<()> {
        self.about.finished = true;
        self.write_json("run.json", &self.about)
    }

    fn write_json<T: Serialize>(&self, name: &str, value: &T) -> Result<()> {
        let path = self.dir.join(name);
        let text = serde_json::to_string_pretty(value).map_err(Error::bug)?;
        fs::write(&path, text + "\n").map_err(|error| cannot_write(&path, &error))
    }
}

/// A run that is over, or as far as it came.
#[derive(Clone, Debug)]
pub struct Results {
    /// What was run.
    pub about: About,
    /// Where.
    pub host: Host,
    /// The trials.
    pub runs: Vec<RunRow>,
    /// Percentiles.
    pub latencies: Vec<LatencyRow>,
    /// Where it lies.
    pub dir: PathBuf,
}

impl Results {
    /// Reads a folder.
    ///
    /// # Errors
    ///
    /// A file is missing, or is of another form.
    pub fn read(dir: &Path) -> Result<Results> {
        let host = dir.join("host.json");
        let text = fs::read_to_string(&host)
            .map_err(|error| Error::config(format!("cannot read {}: {error}", host.display())))?;
        Ok(Results {
            about: read_about(dir)?,
            host: serde_json::from_str(&text)
                .map_err(|error| Error::config(error).within(host.display().to_string()))?,
            runs: read_table(dir, "runs.csv")?,
            latencies: read_table(dir, "latency.csv")?,
            dir: dir.into(),
        })
    }

    /// The newest run below a folder, or the folder itself if it is one.
    ///
    /// # Errors
    ///
    /// There is none.
    pub fn newest(results: &Path) -> Result<Results> {
        if results.join("run.json").exists() {
            return Results::read(results);
        }
        match dirs(results).into_iter().rfind(|dir| dir.join("run.json").exists()) {
            Some(dir) => Results::read(&dir),
            None => Err(Error::usage(format!("there is no run in {}", results.display()))
                .hint("make one: highwater-bench run smoke")),
        }
    }

    /// The newest finished run of each experiment below a folder.
    ///
    /// # Errors
    ///
    /// One of them cannot be read.
    pub fn newest_of_each(results: &Path) -> Result<Vec<Results>> {
        let mut newest: BTreeMap<String, PathBuf> = BTreeMap::new();
        for dir in dirs(results).into_iter().filter(|dir| dir.join("run.json").exists()) {
            let about = read_about(&dir)?;
            if about.finished {
                newest.insert(about.experiment, dir);
            }
        }
        newest.values().map(|dir| Results::read(dir)).collect()
    }
}

/// Reads a table; one that is not there has no lines.
///
/// # Errors
///
/// It has other columns.
pub fn read_table<R: DeserializeOwned>(dir: &Path, table: &str) -> Result<Vec<R>> {
    let path = dir.join(table);
    if !path.exists() {
        return Ok(vec![]);
    }
    let failed = |error: csv::Error| {
        Error::config(format!("{}: {error}", path.display()))
            .hint("it was written by another version of highwater-bench")
    };
    let mut reader = csv::Reader::from_path(&path).map_err(failed)?;
    reader.deserialize().map(|row| row.map_err(failed)).collect()
}

fn read_about(dir: &Path) -> Result<About> {
    let path = dir.join("run.json");
    let failed =
        |error: &dyn std::fmt::Display| Error::config(format!("{}: {error}", path.display()));
    let text = fs::read_to_string(&path).map_err(|error| failed(&error))?;
    let about: About = serde_json::from_str(&text).map_err(|error| failed(&error))?;
    if about.schema != SCHEMA {
        let why = format!("results of form {}, this program knows {SCHEMA}", about.schema);
        return Err(failed(&why).hint("read it with the commit in its host.json, or move it away"));
    }
    Ok(about)
}

/// Folders below another, in the order of their names, which begin with the time.
pub(crate) fn dirs(results: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(results).into_iter().flatten().flatten();
    let mut dirs: Vec<PathBuf> =
        entries.map(|entry| entry.path()).filter(|path| path.is_dir()).collect();
    dirs.sort();
    dirs
}

fn cannot_write(path: &Path, error: &dyn std::fmt::Display) -> Error {
    Error::storage(format!("cannot write {}: {error}", path.display()))
        .hint("free the disk, or name another folder with --results; --resume goes on")
}

#[cfg(test)]
mod tests {
    use super::*;
    use highwater::testing::Scratch;

    fn experiment() -> Experiment {
        Experiment::named("smoke").unwrap()
    }

    #[test]
    fn an_interrupted_run_is_gone_on_with_in_its_own_folder() {
        let dir = Scratch::new("bench-folder");
        let mut folder = Folder::create(dir.path(), &experiment(), 1.0).unwrap();
        let row = RunRow { engine: "flink".into(), trial: 1, ..RunRow::default() };
        folder.append("runs.csv", &[row]).unwrap();
        let run_id = folder.run_id().to_owned();
        drop(folder);
        let mut again = Folder::resume(dir.path(), &experiment(), 1.0).unwrap();
        assert_eq!(again.run_id(), run_id);
        again.append("runs.csv", &[RunRow { trial: 2, ..RunRow::default() }]).unwrap();
        again.finish().unwrap();
        let results = Results::newest(dir.path()).unwrap();
        assert_eq!(results.runs.iter().map(|row| row.trial).collect::<Vec<_>>(), [1, 2]);
        assert!(results.about.finished && results.latencies.is_empty());
        let error = Folder::resume(dir.path(), &experiment(), 1.0).err().unwrap();
        assert!(error.to_string().contains("no unfinished run"), "{error}");
    }

    #[test]
    fn a_run_of_another_scale_is_not_gone_on_with() {
        let dir = Scratch::new("bench-folder");
        drop(Folder::create(dir.path(), &experiment(), 1.0).unwrap());
        let error = Folder::resume(dir.path(), &experiment(), 0.5).err().unwrap();
        assert!(error.to_string().contains("--scale 1"), "{error}");
    }

    #[test]
    fn results_of_another_form_are_refused_by_name() {
        let dir = Scratch::new("bench-folder");
        let folder = Folder::create(dir.path(), &experiment(), 1.0).unwrap();
        fs::write(folder.dir().join("runs.csv"), "run,speed\n1,2\n").unwrap();
        let error = Results::newest(dir.path()).unwrap_err().to_string();
        assert!(error.contains("runs.csv") && error.contains("another version"), "{error}");
        fs::write(folder.dir().join("run.json"), "{}").unwrap();
        assert!(Results::newest(dir.path()).unwrap_err().to_string().contains("run.json"));
    }

    /// The table must be readable afterwards, and the run gone on with.
    #[test]
    fn a_full_disk_leaves_whole_lines() {
        let dir = Scratch::new("bench-full");
        let tmpfs = ["-t", "tmpfs", "-o", "size=64k", "none"];
        let mount = std::process::Command::new("mount").args(tmpfs).arg(dir.path()).output();
        if !mount.is_ok_and(|output| output.status.success()) {
            eprintln!("skipped: no small disk can be mounted here");
            return;
        }
        let unmount = Unmount(dir.path());
        let mut folder = Folder::create(dir.path(), &experiment(), 1.0).unwrap();
        let row = RunRow { status: "failed:".to_owned() + &"x".repeat(3_000), ..RunRow::default() };
        let mut written = 0;
        let error = loop {
            match folder.append("runs.csv", &[RunRow { trial: written, ..row.clone() }]) {
                Ok(()) => written += 1,
                Err(error) => break error,
            }
        };
        let text = error.to_string();
        assert_eq!(error.kind().exit_code(), 74);
        assert!(text.contains("runs.csv") && text.contains("--resume"), "{text}");
        let rows: Vec<RunRow> = read_table(folder.dir(), "runs.csv").unwrap();
        assert_eq!(rows.len(), written);
        assert!((5..22).contains(&written), "{written}");
        assert!(Folder::resume(dir.path(), &experiment(), 1.0).is_ok());
        drop(unmount);
    }

    struct Unmount<'a>(&'a Path);

    impl Drop for Unmount<'_> {
        fn drop(&mut self) {
            let _ = std::process::Command::new("umount").arg(self.0).output();
        }
    }

    #[test]
    fn a_run_that_cannot_be_kept_is_refused_with_a_way_out() {
        let dir = Scratch::new("bench-full");
        let mut folder = Folder::create(dir.path(), &experiment(), 1.0).unwrap();
        std::os::unix::fs::symlink("/dev/full", folder.dir().join("limits.csv")).unwrap();
        let row = crate::harness::limits::line("x", "y", 1.0);
        let error = folder.append("limits.csv", &[row]).unwrap_err();
        assert_eq!(error.kind().exit_code(), 74);
        let text = error.to_string();
        assert!(text.contains("limits.csv") && text.contains("free the disk"), "{text}");
        let file = dir.path().join("file");
        fs::write(&file, "").unwrap();
        let error = Folder::create(&file, &experiment(), 1.0).err().unwrap();
        assert!(error.to_string().contains("--results"), "{error}");
    }

    #[test]
    fn results_of_another_form_are_refused_with_a_way_out() {
        let dir = Scratch::new("bench-folder");
        let folder = Folder::create(dir.path(), &experiment(), 1.0).unwrap();
        let about = folder.dir().join("run.json");
        let text = fs::read_to_string(&about).unwrap();
        fs::write(&about, text.replace("\"schema\": 1", "\"schema\": 2")).unwrap();
        let error = Results::read(folder.dir()).unwrap_err();
        assert_eq!(error.kind().exit_code(), 65);
        let text = error.to_string();
        assert!(text.contains("results of form 2, this program knows 1"), "{text}");
        assert!(error.has_hint(), "{text}");
    }
}
