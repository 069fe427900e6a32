//! What a run's report says, section by section. Figures come from [`super::figures`] and
//! [`super::loads`]; here they become sentences and tables.

use highwater::error::{Error, Result};
use serde::Deserialize;

use crate::harness::folder::{LimitRow, Results, RunRow, read_table};
use crate::harness::host::Host;
use crate::harness::run::grouped;
use crate::harness::stats::{Estimate, median};

use super::document::{Block, Cell, Document, Table, Tone, short};
use super::figures::{Cost, Group, PAIRS_MIN, costs};
use super::grid::grids;
use super::loads::{Line, Loaded, NAMES, loads};
use super::plots;
use crate::harness::stats::Spread;

/// What a report takes from the text of an experiment, also of one that is no longer known.
#[derive(Deserialize)]
struct Said {
    question: String,
    #[serde(default)]
    unfair: Vec<String>,
}

/// The whole report of a run.
///
/// # Errors
///
/// A file of the run cannot be read.
pub fn document(results: &Results) -> Result<Document> {
    let (costs, loads) = (costs(&results.runs), loads(results));
    let mut blocks = head(results)?;
    if !costs.is_empty() {
        cost_section(&costs, &mut blocks)?;
    }
    if !loads.is_empty() {
        latency_section(results, &loads, &mut blocks)?;
    }
    limits_section(results, &mut blocks)?;
    failures_section(results, &mut blocks);
    blocks.push(Block::Heading("Machine and versions".into()));
    blocks.push(Block::Facts(machine(results)));
    let title = format!("Highwater benchmark: {}", results.about.experiment);
    Ok(Document { title, blocks })
}

fn head(results: &Results) -> Result<Vec<Block>> {
    let Results { about, host, runs, .. } = results;
    let said: Said = toml::from_str(&about.text)
        .map_err(|error| Error::config(error.message()).within("run.json"))?;
    let mut blocks = vec![Block::Lead(said.question)];
    if host.dirty {
        let commit = &host.commit;
        blocks.push(Block::Warning(format!(
            "Measured with uncommitted changes on top of {commit}: nobody else can repeat this, \
             and no figure of it may be quoted."
        )));
    }
    if !about.finished {
        let done = runs.len();
        blocks.push(Block::Warning(format!("The run is not finished: {done} trials are over.")));
    }
    if about.scale != 1.0 {
        let scale = about.scale;
        blocks.push(Block::Warning(format!("Inputs and loads were scaled by {scale}.")));
    }
    let loads: Vec<f64> = runs.iter().map(|run| run.load1_before).collect();
    if let Some(load) = median(&loads).filter(|load| host.cores as f64 <= *load) {
        blocks.push(Block::Warning(format!(
            "The machine was busy: its load average was {load:.1} on {} cores in the median. \
             Processor time bears that, seconds and latencies do not.",
            host.cores
        )));
    }
    blocks.push(Block::Command(format!("highwater-bench {}", about.command)));
    let begun = runs.iter().map(|run| run.utc.as_str()).min().unwrap_or_default();
    let Host { cpu, cores, memory_kib, commit, .. } = host;
    blocks.push(Block::Text(format!(
        "{cpu}, {cores} cores, {:.0} GiB; commit {commit}{}; begun {}. Run {}.",
        *memory_kib as f64 / 1_048_576.0,
        if host.dirty { " with changes" } else { "" },
        begun.split('.').next().unwrap_or_default().replace('T', " ") + " UTC",
        about.run_id,
    )));
    if !said.unfair.is_empty() {
        blocks.push(Block::Heading("What is unfair about it".into()));
        blocks.push(Block::List(said.unfair));
    }
    Ok(blocks)
}

fn cost_section(costs: &[Cost<'_>], blocks: &mut Vec<Block>) -> Result<()> {
    blocks.push(Block::Heading("Cost".into()));
    blocks.push(Block::Text(
        "Million events per processor second of the whole tree of processes, from start to end, \
         read from outside: the median of the rounds, and their range. All rows were compared \
         before; an engine with wrong rows has no figure. “Marginal” is the cost between two sizes \
         of input, so that the start of a virtual machine is not in it. `consume` and `decode` are \
         limits, which write no rows; `single_thread` is one competent loop with the same decoder."
            .into(),
    ));
    blocks.push(Block::Text(
        "“Highwater is” compares Highwater with the engine of the line: the median of the ratios \
         of two trials of the same round, with a 95 % bootstrap interval; above 1, Highwater is \
         cheaper. “… of marginal” compares Highwater's whole cost, start included, with the \
         marginal one of the engine."
            .into(),
    ));
    let pairs = costs.iter().filter_map(|cost| cost.ratio).map(|ratio| ratio.count);
    if let Some(fewest) = pairs.min().filter(|fewest| *fewest < PAIRS_MIN) {
        blocks.push(Block::Text(format!(
            "n is the number of pairs, {fewest} at the fewest here: an interval of less than \
             {PAIRS_MIN} pairs is a hint, and no proof."
        )));
    }
    let grids = grids(costs);
    if !grids.is_empty() {
        blocks.push(Block::Text(
            "A grid goes away from its base in one direction at a time. “… of base” is the median \
             of the ratios of two trials of the same round, the point's over the base's; below 1, \
             events of the point are dearer. “Rows” counts the records that no window takes, too. \
             Tables of each point follow."
                .into(),
        ));
    }
    blocks.extend(grids.iter().map(|grid| Block::Table(grid.table())));
    let mut at = 0;
    while at < costs.len() {
        let place = &costs[at].group.place;
        let end = at + costs[at..].iter().take_while(|cost| cost.group.place == *place).count();
        blocks.push(Block::Table(cost_table(&costs[at..end])));
        at = end;
    }
    for figure in plots::of_costs(costs)? {
        blocks.push(Block::Figure(figure));
    }
    Ok(())
}

fn cost_table(costs: &[Cost<'_>]) -> Table {
    let place = &costs[0].group.place;
    let has_marginal = costs.iter().any(|cost| cost.marginal.is_some());
    let mut columns = vec!["Engine", "M events per CPU-s"];
    if has_marginal {
        columns.push("Marginal");
    }
    columns.push("Highwater is");
    if has_marginal {
        columns.push("… of marginal");
    }
    columns.extend(["CPU-s", "Wall s", "First row s", "Peak MiB", "Rows"]);
    let row = |cost: &Cost<'_>| {
        let verdict = cost.group.verdict();
        let tone = if verdict.is_bad { Tone::Bad } else { Tone::Words };
        let mut cells = vec![Cell::words(cost.group.engine), spread(cost.rate)];
        if has_marginal {
            cells.push(spread(cost.marginal));
        }
        cells.push(ratio(cost.ratio));
        if has_marginal {
            cells.push(ratio(cost.marginal_ratio));
        }
        for value in [cost.cpu_s, cost.wall_s, cost.first_row_s, cost.peak_mib] {
            cells.push(Cell::number(short(value)));
        }
        cells.push(Cell::words(verdict.text).tone(tone));
        cells
    };
    Table {
        caption: format!(
            "{}: {}, {} events{}",
            place.part,
            place.query,
            grouped(place.events),
            workers(&costs[0].group),
        ),
        columns: columns.into_iter().map(String::from).collect(),
        rows: costs.iter().map(row).collect(),
    }
}

/// How many workers a group had, if that was more than one.
fn workers(group: &Group<'_>) -> String {
    match group.trials.first().map_or(1, |trial| trial.workers) {
        0 | 1 => String::new(),
        workers => format!(", {workers} workers"),
    }
}

/// A figure with its range.
pub(super) fn spread(spread: Option<Spread>) -> Cell {
    let cell = Cell::number(short(spread.map(|spread| spread.median)));
    match spread {
        Some(Spread { min, max, count, .. }) if 1 < count => {
            cell.small(format!("{} to {}, n {count}", short(Some(min)), short(Some(max))))
        }
        Some(_) => cell.small("n 1"),
        None => cell,
    }
}

/// A ratio with its interval.
pub(super) fn ratio(ratio: Option<Estimate>) -> Cell {
    match ratio {
        None => Cell::number("–"),
        Some(found) => {
            let text = format!("{}×", short(Some(found.median)));
            Cell::number(text).small(bounds(&found))
        }
    }
}

/// The interval of an estimate, in a few words.
pub(super) fn bounds(found: &Estimate) -> String {
    match found.count {
        1 => "n 1".into(),
        count => format!("[{}, {}] n {count}", short(Some(found.low)), short(Some(found.high))),
    }
}

fn latency_section(results: &Results, loads: &[Loaded<'_>], blocks: &mut Vec<Block>) -> Result<()> {
    blocks.push(Block::Heading("Latency".into()));
    blocks.push(Block::Text(
        "Milliseconds from the planned time of an event, in an open loop: the generator never \
         waits for the engine, so a stall is in the figures of all events that it delayed. \
         `event`: until the first row that counts the event. `row`: of the latest event of \
         each row. `close_delay`: from the event that let the last partition close a window \
         to its row. `hiccup`: what the machine adds to a sleep of 1 ms meanwhile. \
         `gen_late`: how late the generator itself sent. A percentile that is not above the \
         same percentile of `hiccup` or `gen_late` is not resolvable (n. r.): it may be the \
         machine's."
            .into(),
    ));
    let mut at = 0;
    while at < loads.len() {
        let place = &loads[at].group.place;
        let end = at + loads[at..].iter().take_while(|load| load.group.place == *place).count();
        blocks.push(Block::Table(latency_table(&loads[at..end])));
        blocks.push(Block::Table(load_table(&loads[at..end])));
        for figure in plots::of_load(results, &loads[at..end])? {
            blocks.push(Block::Figure(figure));
        }
        at = end;
    }
    for figure in plots::of_loads(loads)? {
        blocks.push(Block::Figure(figure));
    }
    Ok(())
}

fn caption(load: &Loaded<'_>) -> String {
    let place = &load.group.place;
    let rate = grouped(place.rate.unwrap_or_default());
    let seconds = |of: fn(&RunRow) -> Option<u64>| {
        load.group.trials.first().and_then(|run| of(run)).unwrap_or_default()
    };
    format!(
        "{}: {}, {} rows, {rate} events/s for {} s, the first {} s not measured",
        place.part,
        place.query,
        place.rows,
        seconds(|run| run.duration_s),
        seconds(|run| run.warmup_s),
    )
}

fn latency_table(loads: &[Loaded<'_>]) -> Table {
    let mut rows = Vec::new();
    for load in loads.iter().filter(|load| load.lines.is_empty()) {
        let verdict = load.group.verdict();
        let tone = if verdict.is_bad { Tone::Bad } else { Tone::Words };
        let mut cells = vec![Cell::words(load.group.engine), Cell::words(verdict.text).tone(tone)];
        cells.resize(9, Cell::number("–"));
        rows.push(cells);
    }
    // Engines beside one another, one kind of latency after another.
    let tags = ["event", "row", "close_delay", "hiccup", "gen_late"];
    for tag in tags {
        for load in loads {
            let lines = load.lines.iter().filter(|line| line.tag == tag);
            rows.extend(lines.map(|line| latency_row(load.group.engine, line)));
        }
    }
    let names = ["Engine", "ms of"].into_iter().chain(NAMES).chain(["Count", "Outstanding"]);
    Table { caption: caption(&loads[0]), columns: names.map(String::from).collect(), rows }
}

fn latency_row(engine: &str, line: &Line) -> Vec<Cell> {
    let mut cells = vec![Cell::words(engine), Cell::words(&line.tag)];
    for (value, noise) in line.values.iter().zip(line.is_noise) {
        let cell = Cell::number(short(Some(*value)));
        cells.push(if noise { cell.small("n. r.").tone(Tone::Noise) } else { cell });
    }
    cells.push(Cell::number(grouped(line.count)));
    let outstanding = if line.tag == "event" { grouped(line.outstanding) } else { "–".into() };
    cells.push(Cell::number(outstanding));
    cells
}

fn load_table(loads: &[Loaded<'_>]) -> Table {
    let columns =
        ["Engine", "CPU %", "Idle CPU %", "Peak MiB", "First row s", "Events/s sent", "Rows"];
    let row = |load: &Loaded<'_>| {
        let verdict = load.group.verdict();
        let tone = if verdict.is_bad { Tone::Bad } else { Tone::Words };
        let mut cells = vec![Cell::words(load.group.engine)];
        let Loaded { cpu_percent, idle_percent, peak_mib, first_row_s, sent, .. } = load;
        for value in [cpu_percent, idle_percent, peak_mib, first_row_s, sent] {
            cells.push(Cell::number(short(*value)));
        }
        cells.push(Cell::words(verdict.text).tone(tone));
        cells
    };
    Table {
        caption: "Under that load (per cent of one core)".into(),
        columns: columns.map(String::from).into(),
        rows: loads.iter().map(row).collect(),
    }
}

fn limits_section(results: &Results, blocks: &mut Vec<Block>) -> Result<()> {
    let limits: Vec<LimitRow> = read_table(&results.dir, "limits.csv")?;
    if limits.is_empty() {
        return Ok(());
    }
    blocks.push(Block::Heading("Limits of the machine".into()));
    blocks.push(Block::Text(
        "Measured in the same run, a fraction of a second each: a figure above is to be read \
         against these, and never against those of another machine."
            .into(),
    ));
    let row = |limit: &LimitRow| {
        let value = Cell::number(short(limit.value));
        // Without a figure, why there is none.
        let value = match limit.value {
            Some(_) => value,
            None => value.small(limit.status.replace(':', ": ")),
        };
        vec![Cell::words(&limit.what), value, Cell::words(&limit.unit)]
    };
    blocks.push(Block::Table(Table {
        caption: String::new(),
        columns: ["Limit", "Value", "Unit"].map(String::from).into(),
        rows: limits.iter().map(row).collect(),
    }));
    Ok(())
}

fn failures_section(results: &Results, blocks: &mut Vec<Block>) {
    let failed: Vec<&RunRow> = results.runs.iter().filter(|run| run.status != "ok").collect();
    blocks.push(Block::Heading("Failed and skipped trials".into()));
    if failed.is_empty() {
        let count = results.runs.len();
        blocks.push(Block::Text(format!("None: all {count} trials gave the right rows.")));
        return;
    }
    let folder = format!("{}/", results.dir.display());
    let row = |run: &&RunRow| {
        let (what, why) = run.status.split_once(':').unwrap_or((&run.status, ""));
        let input = match run.rate_planned {
            Some(rate) => format!("{} {} at {}/s", run.query, run.rows, grouped(rate)),
            None => format!("{}, {} events", run.query, grouped(run.events)),
        };
        let is_bad = what != "skipped";
        let rows = match run.rows_expected {
            0 => String::new(),
            expected => {
                let [equal, expected] = [run.rows_equal, expected].map(|rows| grouped(rows as u64));
                format!("{equal} of {expected} rows right")
            }
        };
        let reason = [why.replace(&folder, ""), if is_bad { rows } else { String::new() }];
        let reason: Vec<String> = reason.into_iter().filter(|part| !part.is_empty()).collect();
        vec![
            Cell::number(run.trial.to_string()),
            Cell::words(&run.engine),
            Cell::words(format!("{}: {input}", run.part)),
            Cell::number((run.round + 1).to_string()),
            Cell::words(what.replace('_', " ")).tone(if is_bad { Tone::Bad } else { Tone::Words }),
            Cell::words(reason.join("; ")),
        ]
    };
    blocks.push(Block::Table(Table {
        caption: format!("{} of {} trials", failed.len(), results.runs.len()),
        columns: ["Trial", "Engine", "What", "Round", "Status", "Why"].map(String::from).into(),
        rows: failed.iter().map(row).collect(),
    }));
}

fn machine(results: &Results) -> Vec<(&'static str, String)> {
    let Host { cpu, cores, memory_kib, kernel, governor, huge_pages, rustc, java, .. } =
        &results.host;
    let mut facts = vec![
        ("Processor", format!("{cpu}, {cores} cores")),
        ("Memory", format!("{:.1} GiB", *memory_kib as f64 / 1_048_576.0)),
        ("Kernel", kernel.clone()),
        ("Governor", governor.clone()),
        ("Huge pages", huge_pages.clone()),
        ("Compiler", rustc.clone()),
        ("Java", java.clone()),
        ("Commit", results.host.commit.clone()),
    ];
    let mut versions: Vec<String> = Vec::new();
    for run in results.runs.iter().filter(|run| !run.engine_version.is_empty()) {
        let version = format!("{}: {}", run.engine, run.engine_version);
        if !versions.contains(&version) {
            versions.push(version);
        }
    }
    facts.push(("Engines", versions.join("; ")));
    facts.retain(|(_, value)| !value.is_empty());
    facts
}
