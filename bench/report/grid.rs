//! Grids of an experiment: points of one part that differ in a parameter, beside its base.

use crate::harness::run::grouped;
use crate::workloads::Workload;

use super::content::{ratio, spread};
use super::document::{Cell, Table, Tone};
use super::figures::{self, Cost};

/// All points of a part, of one size; the first of them is the base.
#[derive(Clone, Debug)]
pub struct Grid<'a> {
    /// The part, as in tables.
    pub part: &'a str,
    /// How many events each point has.
    pub events: u64,
    /// The base, with all its parameters.
    pub base: String,
    /// The costs of each point, and what it has in other ways than the base: nothing of the base.
    pub points: Vec<(String, Vec<&'a Cost<'a>>)>,
}

/// The grids among some costs, which are in the order of the experiment.
pub fn grids<'a>(costs: &'a [Cost<'a>]) -> Vec<Grid<'a>> {
    let mut grids: Vec<(Grid<'a>, Workload)> = Vec::new();
    for cost in costs {
        let place = &cost.group.place;
        let Ok(query @ Workload::Windows(shape)) = Workload::named(&place.query) else { continue };
        let known = grids
            .iter_mut()
            .find(|(grid, _)| (grid.part, grid.events) == (&*place.part, place.events));
        let Some((grid, Workload::Windows(base))) = known else {
            let points = vec![(String::new(), vec![cost])];
            let (part, events) = (place.part.as_str(), place.events);
            grids.push((Grid { part, events, base: shape.in_full(), points }, query));
            continue;
        };
        let name = shape.apart_from(base);
        match grid.points.iter_mut().find(|(known, _)| *known == name) {
            Some((_, costs)) => costs.push(cost),
            None => grid.points.push((name, vec![cost])),
        }
    }
    // A single point is no grid.
    grids.into_iter().map(|(grid, _)| grid).filter(|grid| 1 < grid.points.len()).collect()
}

impl Grid<'_> {
    /// A line for each point: what an event costs each engine, how that compares with the base, and
    /// how many rows there are, with what was refused.
    pub fn table(&self) -> Table {
        let mut engines: Vec<&str> = Vec::new();
        for cost in self.points.iter().flat_map(|(_, costs)| costs) {
            if !engines.contains(&cost.group.engine) {
                engines.push(cost.group.engine);
            }
        }
        let mut columns = vec!["Point".to_owned()];
        for engine in &engines {
            columns.extend([format!("{engine}, M events per CPU-s"), "… of base".into()]);
        }
        columns.push("Rows".into());
        let row = |(name, costs): &(String, Vec<&Cost<'_>>)| {
            let name = if name.is_empty() { "base" } else { name };
            let mut cells = vec![Cell::words(name)];
            for engine in &engines {
                cells.extend(self.cells(engine, costs));
            }
            let trials = costs.iter().flat_map(|cost| &cost.group.trials);
            let rows = trials.map(|trial| trial.rows_expected).max().unwrap_or(0);
            cells.push(Cell::number(grouped(rows as u64)));
            cells
        };
        Table {
            caption: format!(
                "{}: one parameter changed at a time, {} events; the base is {}",
                self.part,
                grouped(self.events),
                self.base
            ),
            columns,
            rows: self.points.iter().map(row).collect(),
        }
    }

    fn cells(&self, engine: &str, costs: &[&Cost<'_>]) -> [Cell; 2] {
        let of = |costs: &[&Cost<'_>]| {
            let cost = costs.iter().find(|cost| cost.group.engine == engine)?;
            Some(cost.group.rates())
        };
        let Some(cost) = costs.iter().find(|cost| cost.group.engine == engine) else {
            return [Cell::number("–"), Cell::number("–")];
        };
        if cost.rate.is_none() {
            let verdict = cost.group.verdict();
            let tone = if verdict.is_bad { Tone::Bad } else { Tone::Words };
            return [Cell::words(verdict.text).tone(tone), Cell::number("–")];
        }
        let base = self.points.first().and_then(|(_, base)| of(base)).unwrap_or_default();
        let compared = figures::ratio(&cost.group.rates(), &base);
        [spread(cost.rate), ratio(compared)]
    }
}
