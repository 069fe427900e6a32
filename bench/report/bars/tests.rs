//! Bars of run folders that are made here; and the block of `docs/performance.md`, which must be
//! that of the published ones.

use std::fs;
use std::path::{Path, PathBuf};

use highwater::testing::Scratch;

use super::block::line;
use super::{Bar, Bound, Judged, Runs, block, judge, rules};
use crate::harness::experiment::{ALL, Experiment};
use crate::harness::folder::{Folder, Results, RunRow};
use crate::harness::latency::LatencyRow;
use crate::report::tests::run;

const TEXT: &str = "question = 'q'\nminutes = 1\n[[backlog]]\nquery = 'count'\n\
    events = [1_000_000]\nengines = ['highwater']\n";

/// A finished run of clean code, kept below a folder.
fn folder(scratch: &Scratch, name: &str, runs: &[RunRow], latencies: &[LatencyRow]) -> PathBuf {
    let experiment = Experiment::parse(name, TEXT).unwrap();
    let mut folder = Folder::create(scratch.path(), &experiment, 1.0).unwrap();
    folder.append("runs.csv", runs).unwrap();
    folder.append("latency.csv", latencies).unwrap();
    folder.finish().unwrap();
    folder.dir().into()
}

fn results(name: &str, runs: &[RunRow], latencies: &[LatencyRow]) -> Results {
    let scratch = Scratch::new("bench-bars");
    let mut results = Results::read(&folder(&scratch, name, runs, latencies)).unwrap();
    results.host.dirty = false;
    results
}

fn bar(text: &str) -> Bar {
    let defaults = "what = 'w'\nexperiment = 'backlog'\n";
    toml::from_str(&format!("{defaults}{text}")).unwrap()
}

fn count(figure: &str, against: &str, bound: &str) -> Bar {
    bar(&format!("query='count'\nfigure='{figure}'\nagainst={against}\nbound={{{bound}}}"))
}

/// Three rounds of two sizes: Highwater pays a second for a million, Flink two and ten to start,
/// Spark three and ten, Kafka Streams is wrong once, `single_thread` was run at one size.
fn costs() -> Vec<RunRow> {
    let mut runs = Vec::new();
    for round in 0..3 {
        for events in [1_000_000, 5_000_000] {
            let million = events as f64 / 1e6;
            let mut add = |engine, cpu_s| {
                runs.push(RunRow {
                    workers: 1,
                    ..run(runs.len() + 1, engine, events, round, cpu_s)
                });
            };
            add("highwater", million);
            add("flink", 10.0 + 2.0 * million);
            add("spark", 10.0 + 3.0 * million);
            add("kafka_streams", 100.0);
        }
        runs.push(run(90 + round, "single_thread", 5_000_000, round, 4.0));
    }
    let wrong = runs.iter_mut().rfind(|run| run.engine == "kafka_streams").unwrap();
    (wrong.status, wrong.rows_wrong, wrong.rows_equal) = ("mismatch".into(), 3, 11_997);
    runs
}

fn median(judged: &Judged) -> f64 {
    judged.figure.as_ref().unwrap().estimate.median
}

#[test]
fn a_bar_is_met_or_missed_by_the_median_of_pairs() {
    let run = results("backlog", &costs(), &[]);
    let judge = |bound| judge::judged(&count("rate", "['single_thread']", bound), Some(&run));
    let met = judge("at_least=0.8");
    assert_eq!(median(&met), 0.8);
    let text = line(&met);
    assert!(
        text.contains("| 0.80× ([0.80, 0.80] n 3; 5,000,000 events) | ≥ 0.8× | met |"),
        "{text}"
    );
    assert!(text.ends_with("| backlog |\n"), "{text}");
    assert!(line(&judge("at_least=0.81")).contains("| **missed** |"));
}

#[test]
fn a_virtual_machine_is_compared_by_its_marginal_cost_with_the_total_beside_it() {
    let run = results("backlog", &costs(), &[]);
    let found = judge::judged(&count("marginal", "['flink']", "at_least=4"), Some(&run));
    assert_eq!(median(&found), 2.0);
    assert!(line(&found).contains("with its start 4.00×"), "{}", line(&found));
    let one_size: Vec<RunRow> = costs().into_iter().filter(|run| run.events == 5_000_000).collect();
    let run = results("backlog", &one_size, &[]);
    let found = judge::judged(&count("marginal", "['flink']", "at_least=4"), Some(&run));
    let text = line(&found);
    assert!(text.contains("not measured: flink: no two sizes"), "{text}");
    assert!(text.contains("with its start 4.0×"), "{text}");
}

#[test]
fn the_best_peer_counts_and_one_without_a_figure_is_named() {
    let run = results("backlog", &costs(), &[]);
    let bar = count("rate", "['spark', 'flink', 'kafka_streams', 'spark_rtm']", "at_least=4");
    let found = judge::judged(&bar, Some(&run));
    // Spark would be 5, Kafka Streams 20.
    assert_eq!(median(&found), 4.0);
    let text = line(&found);
    for part in
        ["5,000,000 events, flink", "met (no figure of", "kafka\\_streams: mismatch (1 of 3)"]
    {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(text.contains("spark\\_rtm was not run"), "{text}");
    let memory = judge::judged(&count("peak_mib", "['flink']", "at_most=0.15"), Some(&run));
    assert_eq!(median(&memory), 1.0);
}

#[test]
fn wrong_rows_and_engines_that_were_not_run_give_no_number() {
    let check = |runs: &[RunRow], engine: &str, expect: &str| {
        let run = results("backlog", runs, &[]);
        let bar = count("rate", &format!("['{engine}']"), "at_least=1");
        let found = judge::judged(&bar, Some(&run));
        assert_eq!(found.figure.as_ref().unwrap_err(), expect);
        let text = line(&found);
        assert!(text.contains("| – | ≥ 1× | not measured: "), "{text}");
    };
    let mut runs = costs();
    check(&runs, "kafka_streams", "kafka_streams: mismatch (1 of 3): 3 wrong of 12,000");
    check(&runs, "spark_rtm", "spark_rtm was not run");
    for run in runs.iter_mut().filter(|run| run.engine == "flink") {
        run.status = "skipped:run make peers".into();
    }
    check(&runs, "flink", "flink: skipped (3 of 3)");
    let ours = runs.iter_mut().filter(|run| run.engine == "highwater");
    ours.for_each(|run| run.status = "timeout".into());
    check(&runs, "spark", "highwater: timeout (3 of 3)");
    runs.retain(|run| run.engine != "highwater");
    check(&runs, "spark", "highwater was not run");
    let judged = judge::judged(&count("rate", "['spark']", "at_least=1"), None);
    assert!(line(&judged).contains("not measured: experiment `backlog`"), "{}", line(&judged));
}

#[test]
fn trials_on_several_workers_are_not_those_of_a_bar() {
    let mut runs = costs();
    runs.iter_mut().filter(|run| run.engine == "highwater").for_each(|run| run.workers = 2);
    let run = results("backlog", &runs, &[]);
    let found = judge::judged(&count("rate", "['flink']", "at_least=1"), Some(&run));
    assert_eq!(found.figure.unwrap_err(), "highwater was not run");
}

fn latency(trial: usize, tag: &str, p50: f64, p99: f64) -> LatencyRow {
    let tag = tag.into();
    LatencyRow {
        trial,
        tag,
        p50,
        p90: p50,
        p99,
        p999: p99,
        max: p99,
        count: 9,
        outstanding_at_end: 0,
    }
}

#[test]
fn latencies_are_of_one_load_and_hiccups_may_be_the_bound() {
    let live = |trial, engine, rate, rows: &str| RunRow {
        rate_planned: Some(rate),
        rows: rows.into(),
        query: "latest".into(),
        cpu_percent: Some(10.0 * trial as f64),
        ..run(trial, engine, rate, 0, 1.0)
    };
    let runs = [
        live(1, "highwater", 20_000, "update"),
        live(2, "single_thread", 20_000, "update"),
        live(3, "highwater", 2_000, "update"),
        live(4, "highwater", 20_000, "final"),
        live(5, "flink", 20_000, "update"),
    ];
    let mut latencies = vec![
        latency(1, "event", 11.0, 30.0),
        latency(2, "event", 10.0, 20.0),
        latency(3, "event", 99.0, 99.0),
        latency(4, "close_delay", 9.0, 24.0),
        latency(4, "hiccup", 1.0, 3.0),
        latency(5, "event", 0.0, 0.0),
    ];
    latencies[5].count = 0;
    let at = |latencies: &[LatencyRow], rest: &str| {
        let text = format!("query='latest'\nrate=20_000\n{rest}");
        judge::judged(&bar(&text), Some(&results("latency", &runs, latencies)))
    };
    let thread = "rows='update'\nagainst=['single_thread']\nfigure=";
    let p50 = at(&latencies, &format!("{thread}'event_p50'\nbound={{at_most=1.1}}"));
    assert_eq!(median(&p50), 1.1);
    let p99 = at(&latencies, &format!("{thread}'event_p99'\nbound={{at_most=1.3}}"));
    assert!(line(&p99).contains("| 1.50× (n 1) | ≤ 1.3× | **missed** |"), "{}", line(&p99));
    let cpu = "rows='update'\nagainst=['flink']\nfigure='cpu_percent'\nbound={at_most=0.25}";
    assert_eq!(median(&at(&latencies, cpu)), 0.2);
    let none = "rows='update'\nagainst=['flink']\nfigure='event_p99'\nbound={at_most=0.6}";
    let none = at(&latencies, none).figure.unwrap_err();
    assert_eq!(none, "flink: its trials have no such figure");
    let close = "figure='close_delay_p99'\nbound={at_most=20}\nor_hiccup=true";
    let found = at(&latencies, close);
    assert!(line(&found).contains("| 24.0 ms (n 1) | ≤ 20 ms | **missed** |"), "{}", line(&found));
    latencies[4].p99 = 31.234;
    let found = at(&latencies, close);
    assert_eq!(found.bound, Bound::AtMost(31.234));
    assert!(line(&found).contains("| 24.0 ms (n 1) | ≤ 31.2 ms | met |"), "{}", line(&found));
}

#[test]
fn what_may_not_be_quoted_is_marked() {
    let mut run = results("backlog", &costs(), &[]);
    (run.host.dirty, run.about.scale, run.about.finished) = (true, 0.5, false);
    let text = line(&judge::judged(&count("rate", "['flink']", "at_least=1"), Some(&run)));
    for mark in ["uncommitted changes", "scaled by 0.5", "not finished"] {
        assert!(text.contains(mark), "{mark}: {text}");
    }
}

#[test]
fn a_bound_inside_the_interval_is_said() {
    let mut runs = costs();
    for run in runs.iter_mut().filter(|run| run.engine == "single_thread") {
        run.cpu_s = Some([2.0, 4.0, 6.0][run.round]);
    }
    let run = results("backlog", &runs, &[]);
    let judged = judge::judged(&count("rate", "['single_thread']", "at_least=0.7"), Some(&run));
    assert!(line(&judged).contains("| met, within the interval |"), "{}", line(&judged));
}

/// A rule that no trial can meet would never be measured.
#[test]
fn every_rule_has_its_trials_in_the_experiment_that_it_names() {
    let rules = rules().unwrap();
    assert!(rules.bars.len() == 19, "{} bars", rules.bars.len());
    for bar in &rules.bars {
        if !ALL.iter().any(|(name, _)| *name == bar.experiment) {
            continue;
        }
        let trials = Experiment::named(&bar.experiment).unwrap().trials(1.0, None);
        for engine in bar.against.iter().map(String::as_str).chain(["highwater"]) {
            let rows = |trial: &crate::harness::experiment::Trial| match trial.rows {
                crate::engines::RowsWanted::Final => "final",
                crate::engines::RowsWanted::Update => "update",
            };
            let found = trials.iter().any(|trial| {
                trial.engine == engine
                    && trial.query.to_string() == bar.query
                    && rows(trial) == bar.rows
                    && trial.load.map(|load| load.rate) == bar.rate
            });
            assert!(found, "{}: {engine}", bar.what);
        }
    }
}

#[test]
fn cases_are_judged_by_their_pairs() {
    let scratch = Scratch::new("bench-bars");
    let dir = scratch.path().join("20260101T000000-bench-abc");
    fs::create_dir_all(&dir).unwrap();
    let head = "run_id,utc,commit,dirty,rustc,cores,load1,case,arm,round,events,cpu_s,wall_s,what,\
                value,status\n";
    let sample = |arm: &str, round: usize, cpu_s: f64| {
        format!(
            "r,t,abc,false,r,2,1,a,{arm},{round},9,{cpu_s},1,\
             \"count per type and minute, in memory\",NaN,ok\n"
        )
    };
    let text = head.to_owned()
        + &sample("engine", 0, 2.0)
        + &sample("loop", 0, 1.0)
        + &sample("engine", 1, 4.0)
        + &sample("loop", 1, 2.0)
        + "r,t,abc,false,r,2,1,a,engine,2,9,NaN,NaN,ratio_median,0.5,ok\n"
        + "r,t,abc,false,r,2,1,e,\"idle with 25 views, 1 worker\",0,0,NaN,NaN,% of a core,0.2,ok\n";
    fs::write(dir.join("runs.csv"), text).unwrap();
    let text = block::text(&Runs::read(&[], scratch.path()).unwrap()).unwrap();
    for part in [
        "- cases: `20260101T000000-bench-abc`, commit abc\n",
        "| 0.50× ([0.50, 0.50] n 2) | ≥ 1× | **missed** | cases |",
        "| 0.20 % of a core (n 1) | ≤ 1 % of a core | met | cases |",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
}

#[test]
fn the_newest_finished_run_of_an_experiment_counts_unless_another_is_named() {
    let scratch = Scratch::new("bench-bars");
    let dir = folder(&scratch, "backlog", &costs(), &[]);
    let older = scratch.path().join("20200101T000000Z-backlog-old");
    fs::create_dir_all(&older).unwrap();
    for name in ["run.json", "host.json"] {
        fs::copy(dir.join(name), older.join(name)).unwrap();
    }
    let newer = scratch.path().join("29990101T000000Z-backlog-new");
    fs::create_dir_all(&newer).unwrap();
    let about = fs::read_to_string(dir.join("run.json")).unwrap();
    fs::write(newer.join("run.json"), about.replace("\"finished\": true", "\"finished\": false"))
        .unwrap();
    let text =
        |names: &[PathBuf]| block::text(&Runs::read(names, scratch.path()).unwrap()).unwrap();
    assert!(text(&[]).contains("2.00×"), "{}", text(&[]));
    let named = text(&["20200101T000000Z-backlog-old".into()]);
    assert!(named.contains("highwater was not run"), "{named}");
    let error = Runs::read(&["nowhere".into()], scratch.path()).unwrap_err().to_string();
    assert!(error.contains("no run `nowhere`"), "{error}");
}

#[test]
fn a_block_is_written_between_its_marks_and_another_one_is_found() {
    let scratch = Scratch::new("bench-bars");
    let file = scratch.path().join("page.md");
    fs::write(&file, "# Bars\n").unwrap();
    let error = block::write(&file, "x\n").unwrap_err().to_string();
    assert!(error.contains("page.md") && error.contains("<!-- bars -->"), "{error}");
    fs::write(&file, "# Bars\n<!-- bars -->\nold\n<!-- /bars -->\nend\n").unwrap();
    let error = block::check(&file, "new\n").unwrap_err().to_string();
    for part in ["page.md: the bars are not those", "\n  old\n", "\n  new\n", "--write"] {
        assert!(error.contains(part), "{part}: {error}");
    }
    block::write(&file, "new\n").unwrap();
    block::check(&file, "new\n").unwrap();
    assert!(block::check(&file, "new\nmore\n").is_err());
    let text = fs::read_to_string(&file).unwrap();
    assert_eq!(text, "# Bars\n<!-- bars -->\nnew\n<!-- /bars -->\nend\n");
}

/// What is published of a repository: its table is that of its runs.
fn published(root: &Path) -> highwater::error::Result<()> {
    let runs = Runs::read(&[], &root.join("bench/results/published"))?;
    block::check(&root.join("docs/performance.md"), &block::text(&runs)?)
}

#[test]
fn the_bars_of_the_documents_are_those_of_the_published_runs() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    if let Err(error) = published(root) {
        panic!("{error}");
    }
}

#[test]
fn a_table_that_no_published_run_gives_is_found() {
    let scratch = Scratch::new("bench-bars");
    let at = |path: &str| scratch.path().join(path);
    fs::create_dir_all(at("docs")).unwrap();
    let page = |block: &str| {
        let text = format!("<!-- bars -->\n{block}<!-- /bars -->\n");
        fs::write(at("docs/performance.md"), text).unwrap();
    };
    let empty = block::text(&Runs::default()).unwrap();
    assert!(empty.contains("Nothing is published yet"), "{empty}");
    page(&empty);
    published(scratch.path()).unwrap();
    page(&empty.replacen("not measured", "met", 1));
    assert!(published(scratch.path()).is_err());
    // A run that is published makes the old table wrong.
    page(&empty);
    let experiment = Experiment::parse("backlog", TEXT).unwrap();
    let results = at("bench/results/published");
    let mut folder = Folder::create(&results, &experiment, 1.0).unwrap();
    folder.append("runs.csv", &costs()).unwrap();
    folder.finish().unwrap();
    assert!(published(scratch.path()).unwrap_err().to_string().contains("Nothing is published"));
}
