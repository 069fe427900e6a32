//! Reports of a small run folder that is made here: what is shown, and what must not be.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use highwater::testing::Scratch;

use super::compare::compare;
use super::figures::{Cost, costs};
use super::write;
use crate::harness::experiment::Experiment;
use crate::harness::folder::{Folder, Results, RunRow, ThroughputRow};
use crate::harness::latency::{Series, write_log};

const TEXT: &str = "question = 'Who is <fast>?'\nunfair = ['To nobody.']\nminutes = 1\n\
    [[backlog]]\nquery = 'count'\nevents = [1_000_000, 5_000_000]\nrounds = 3\n\
    engines = ['consume', 'highwater', 'flink', 'spark', 'kafka_streams']\n";

/// A number that only the trial with wrong rows has.
const WRONG_CPU_S: f64 = 7.777;

pub(super) fn run(trial: usize, engine: &str, events: u64, round: usize, cpu_s: f64) -> RunRow {
    RunRow {
        trial,
        part: "backlog 1".into(),
        engine: engine.into(),
        query: "count".into(),
        rows: "final".into(),
        events,
        round,
        cpu_s: Some(cpu_s),
        wall_s: Some(cpu_s),
        first_row_s: Some(0.5),
        peak_rss_kb: Some(20_480),
        rows_expected: if engine == "consume" { 0 } else { 12_000 },
        rows_equal: 12_000,
        status: "ok".into(),
        ..RunRow::default()
    }
}

/// Three rounds: Highwater pays 1 s for a million, Flink 10 s to start and 2 s for a million; Spark
/// is wrong once, Kafka Streams is not there.
fn runs() -> Vec<RunRow> {
    let mut runs = Vec::new();
    for round in 0..3 {
        let slow = 1.0 + round as f64;
        for events in [1_000_000, 5_000_000] {
            let million = events as f64 / 1e6;
            let mut add =
                |engine, cpu_s| runs.push(run(runs.len() + 1, engine, events, round, cpu_s));
            add("consume", 0.25 * million * slow);
            add("highwater", million * slow);
            add("flink", (10.0 + 2.0 * million) * slow);
        }
    }
    let mut wrong = run(80, "spark", 5_000_000, 0, WRONG_CPU_S);
    (wrong.status, wrong.rows_equal, wrong.rows_wrong) = ("mismatch".into(), 11_997, 3);
    runs.extend([wrong, run(81, "spark", 5_000_000, 1, WRONG_CPU_S)]);
    let mut away = run(82, "kafka_streams", 5_000_000, 0, 0.0);
    (away.status, away.cpu_s) = ("skipped:run make peers".into(), None);
    runs.push(away);
    runs
}

/// Two trials under load, of which one was wrong.
fn live(folder: &mut Folder) -> Vec<RunRow> {
    let mut runs = Vec::new();
    for (trial, engine, status) in [(90, "highwater", "ok"), (91, "flink", "mismatch")] {
        let mut event = Series::new("event");
        let mut hiccup = Series::new("hiccup");
        for n in 0..1_000_u64 {
            event.record(Duration::from_millis(n * 10), 3_000 + n as i64);
            hiccup.record(Duration::from_millis(n * 10), if n < 900 { 100 } else { 9_000 });
        }
        let rows = [event.row(trial, 0), hiccup.row(trial, 0)];
        folder.append("latency.csv", &rows).unwrap();
        let path = folder.dir().join(format!("{trial:03}-{engine}.hlog"));
        write_log(&path, SystemTime::UNIX_EPOCH, &[&event, &hiccup]).unwrap();
        let second = |t: i64| ThroughputRow {
            trial,
            t_ms: t * 1_000,
            events_due: t as u64 * 100,
            rows_out: t as u64 * 90,
            rss_kb: 20_000,
            cpu_s: t as f64 * 0.1,
        };
        folder.append("throughput.csv", &(0..10).map(second).collect::<Vec<_>>()).unwrap();
        runs.push(RunRow {
            part: "live 1".into(),
            query: "latest".into(),
            rows: "update".into(),
            rate_planned: Some(100),
            duration_s: Some(10),
            warmup_s: Some(2),
            cpu_percent: Some(if status == "ok" { 12.5 } else { 77.77 }),
            status: status.into(),
            ..run(trial, engine, 1_000, 0, 1.0)
        });
    }
    runs
}

fn folder(scratch: &Scratch, runs: &[RunRow]) -> Results {
    let experiment = Experiment::parse("tiny", TEXT).unwrap();
    let mut folder = Folder::create(scratch.path(), &experiment, 1.0).unwrap();
    folder.append("runs.csv", runs).unwrap();
    let live = live(&mut folder);
    folder.append("runs.csv", &live).unwrap();
    let limit = crate::harness::limits::line("memory copy", "GB/s", 14.0);
    let away = crate::harness::limits::skipped("rows to a database", "M rows/s", &"no server");
    folder.append("limits.csv", &[limit, away]).unwrap();
    folder.finish().unwrap();
    let mut results = Results::read(folder.dir()).unwrap();
    results.host.dirty = false;
    results
}

fn of<'a>(costs: &'a [Cost<'_>], engine: &str, events: u64) -> &'a Cost<'a> {
    let is = |cost: &&Cost<'_>| (cost.group.engine, cost.group.place.events) == (engine, events);
    costs.iter().find(is).unwrap()
}

#[test]
fn a_ratio_is_of_two_trials_of_a_round() {
    let runs = runs();
    let costs = costs(&runs);
    // Rounds differ threefold, their ratios not at all.
    let ratio = of(&costs, "flink", 5_000_000).ratio.unwrap();
    assert_eq!((ratio.low, ratio.median, ratio.high, ratio.count), (4.0, 4.0, 4.0, 3));
    assert_eq!(of(&costs, "consume", 1_000_000).ratio.unwrap().median, 0.25);
    assert!(of(&costs, "highwater", 5_000_000).ratio.is_none());
    assert_eq!(of(&costs, "highwater", 5_000_000).rate.unwrap().median, 0.5);
}

#[test]
fn the_marginal_cost_of_a_virtual_machine_has_no_start_in_it() {
    let runs = runs();
    let costs = costs(&runs);
    let flink = of(&costs, "flink", 5_000_000);
    assert_eq!(flink.marginal.unwrap().max, 0.5);
    assert_eq!(flink.marginal_ratio.unwrap().median, 2.0);
    assert!(of(&costs, "flink", 1_000_000).marginal.is_none());
    assert!(of(&costs, "highwater", 5_000_000).marginal.is_none());
}

#[test]
fn wrong_rows_leave_no_number_and_what_was_skipped_is_a_row() {
    let runs = runs();
    let costs = costs(&runs);
    let spark = of(&costs, "spark", 5_000_000);
    assert!(spark.rate.is_none() && spark.ratio.is_none() && spark.cpu_s.is_none());
    assert_eq!(spark.group.verdict().text, "mismatch (1 of 2): 3 wrong of 12,000");
    let away = of(&costs, "kafka_streams", 5_000_000).group.verdict();
    assert_eq!((away.text.as_str(), away.is_bad), ("skipped", false));
}

#[test]
fn a_report_shows_everything_but_figures_of_wrong_rows() {
    let scratch = Scratch::new("bench-report");
    let mut results = folder(&scratch, &runs());
    let [html, markdown] = write(&results).unwrap();
    let read = |path: &PathBuf| fs::read_to_string(path).unwrap();
    let plots = |name: &str| read(&results.dir.join("plots").join(name));
    let all = [read(&html), read(&markdown)];
    for text in &all {
        for shown in [
            "run make peers",
            "mismatch",
            "4.00×",
            "2.00×",
            "memory copy",
            "n. r.",
            "12.5",
            "no server",
        ] {
            assert!(text.contains(shown), "{shown}");
        }
        for hidden in ["7.78", "7.77", "77.8", "uncommitted"] {
            assert!(!text.contains(hidden), "{hidden}");
        }
    }
    assert!(all[0].contains("Who is &lt;fast&gt;?") && !all[0].contains("<script"));
    let plots = [
        ("cost-count-5000000.svg", "no figure: mismatch"),
        ("ratios.svg", "flink marginal, count 5 M"),
        ("latency-live-1.svg", "hiccup"),
        ("timeline-live-1.svg", "Rows per second"),
    ]
    .map(|(name, shown)| {
        assert!(all[1].contains(&format!("(plots/{name})")), "{name}");
        (plots(name), shown)
    });
    for (svg, shown) in &plots {
        assert!(svg.contains(shown) && svg.contains("<title>"), "{shown}");
    }
    assert!(!plots[2].0.contains("flink") && !plots[3].0.contains("flink"));
    results.host.dirty = true;
    let [html, _] = write(&results).unwrap();
    assert!(read(&html).contains("class=\"warning\">Measured with uncommitted changes"));
}

#[test]
fn runs_of_two_machines_are_not_divided_unasked() {
    let scratch = [Scratch::new("bench-report"), Scratch::new("bench-report")];
    let first = folder(&scratch[0], &runs());
    let mut slower = runs();
    for run in slower.iter_mut().filter(|run| run.engine == "highwater") {
        run.cpu_s = run.cpu_s.map(|cpu_s| cpu_s * 10.0);
    }
    let mut second = folder(&scratch[1], &slower);
    let text = compare(&first, &second, None, false).unwrap();
    let line = |start: &str| text.lines().find(|line| line.contains(start)).unwrap().to_owned();
    assert!(line("highwater backlog 1 count of 5,000,000").contains("10.00x slower ["), "{text}");
    assert!(line("consume backlog 1 count of 5,000,000").starts_with("control"), "{text}");
    assert!(line("flink backlog 1 count of 5,000,000").contains("no change ["), "{text}");
    assert!(line("spark backlog 1").contains("no figure: mismatch"), "{text}");
    assert!(line("memory copy").contains("14.0 → 14.0 GB/s"), "{text}");
    second.host.cpu = "another".into();
    let error = compare(&first, &second, None, false).unwrap_err().to_string();
    assert!(error.contains("another processor") && error.contains("--force"), "{error}");
    assert!(compare(&first, &second, None, true).unwrap().contains("warning: another processor"));
    (second.host.cpu, second.host.dirty) = (first.host.cpu.clone(), true);
    assert!(compare(&first, &second, None, false).unwrap_err().to_string().contains("uncommitted"));
}

#[test]
fn a_column_is_compared_by_its_name_and_an_unknown_one_refused() {
    let scratch = [Scratch::new("bench-report"), Scratch::new("bench-report")];
    let first = folder(&scratch[0], &runs());
    let mut larger = runs();
    for run in larger.iter_mut().filter(|run| run.engine == "highwater") {
        run.peak_rss_kb = run.peak_rss_kb.map(|kib| kib * 2);
    }
    let second = folder(&scratch[1], &larger);
    let text = compare(&first, &second, Some("peak_rss_kb"), false).unwrap();
    let line = |start: &str| text.lines().find(|line| line.contains(start)).unwrap();
    assert!(line("highwater backlog 1 count of 5,000,000, peak_rss_kb").contains("2.00x more ["));
    assert!(line("spark backlog 1").ends_with("no figure"), "{text}");
    for (column, hint) in [("peak_rss", "peak_rss_kb"), ("status", "cpu_s")] {
        let error = compare(&first, &second, Some(column), true).unwrap_err();
        let text = error.to_string();
        assert_eq!(error.kind().exit_code(), 64, "{text}");
        assert!(text.contains(&format!("no column `{column}`")) && text.contains(hint), "{text}");
    }
}

#[test]
fn a_folder_of_runs_means_its_newest_one() {
    let scratch = Scratch::new("bench-report");
    let results = folder(&scratch, &runs());
    let found = super::run(Some(scratch.path()), std::path::Path::new("nowhere")).unwrap();
    assert_eq!(found.about.run_id, results.about.run_id);
    let empty = Scratch::new("bench-report");
    let error = super::run(Some(empty.path()), scratch.path()).unwrap_err();
    assert_eq!(error.kind().exit_code(), 64);
    assert!(error.to_string().contains("there is no run in"), "{error}");
    let of_cases = empty.path().join("20260101T000000-bench-x");
    fs::create_dir_all(&of_cases).unwrap();
    fs::write(of_cases.join("runs.csv"), "run_id\n").unwrap();
    let error = super::run(Some(&of_cases), scratch.path()).unwrap_err().to_string();
    assert!(error.contains("cases"), "{error}");
}

#[test]
fn a_grid_has_one_table_and_one_plot_with_its_points_in_the_order_of_the_experiment() {
    let mut runs = Vec::new();
    for (query, cpu_s) in [
        ("windows", 1.0),
        ("windows keys=100", 0.5),
        ("windows keys=1000000", 4.0),
        ("windows late=0.2", 2.0),
    ] {
        for round in 0..3 {
            for engine in ["single_thread", "highwater"] {
                let row = run(runs.len() + 1, engine, 1_000_000, round, cpu_s);
                runs.push(RunRow { query: query.into(), ..row });
            }
        }
    }
    let wrong = runs.last_mut().unwrap();
    (wrong.status, wrong.rows_equal, wrong.rows_missing) = ("mismatch".into(), 11_999, 1);
    let costs = costs(&runs);
    let grids = super::grid::grids(&costs);
    assert_eq!(grids.len(), 1);
    let table = grids[0].table();
    assert!(table.caption.contains("the base is keys=100000 size=60s"), "{}", table.caption);
    let lines: Vec<Vec<&str>> = table
        .rows
        .iter()
        .map(|cells| cells.iter().map(|cell| cell.text.as_str()).collect())
        .collect();
    assert_eq!(
        lines,
        [
            ["base", "1.00", "1.00×", "1.00", "1.00×", "12,000"],
            ["keys=100", "2.00", "2.00×", "2.00", "2.00×", "12,000"],
            ["keys=1000000", "0.25", "0.25×", "0.25", "0.25×", "12,000"],
            ["late=0.2", "mismatch (1 of 3): 1 missing of 12,000", "–", "0.50", "0.50×", "12,000"],
        ]
    );
    let scratch = Scratch::new("bench-report");
    let results = folder(&scratch, &runs);
    let [html, markdown] = write(&results).unwrap();
    for text in [html, markdown].map(|path| fs::read_to_string(path).unwrap()) {
        assert!(text.contains("keys=1000000") && text.contains("… of base"));
    }
    let plots: Vec<String> = fs::read_dir(results.dir.join("plots"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    assert!(plots.contains(&"grid-backlog-1-1000000.svg".to_owned()), "{plots:?}");
    assert!(!plots.iter().any(|name| name.starts_with("cost-windows")), "{plots:?}");
}
