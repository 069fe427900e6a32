//! Events per processor second as bars, with the limits as lines across them.

use highwater::error::Result;
use plotters::prelude::*;
use plotters::style::text_anchor::HPos;

use crate::harness::run::grouped;

use super::chart::{self, Area, Axis, Drawn, GRID, INK, MUTED, TEXT, text};
use super::{Figure, file_name};
use crate::harness::stats::Spread;
use crate::report::document::short;
use crate::report::figures::Cost;
use crate::report::grid::{Grid, grids};

/// Lines across the bars; the first two have no bar of their own.
const LIMITS: [&str; 3] = ["consume", "decode", "single_thread"];

const ROW: i32 = 64;
const LEFT: i32 = 320;
const RIGHT: i32 = 40;

/// A bar.
struct Bar<'a> {
    name: String,
    engine: &'a str,
    rate: Option<Spread>,
    marginal: Option<f64>,
    /// What stands there instead of a figure.
    remark: String,
}

/// One plot for each query and number of events, of whatever part of the experiment; a grid has one
/// for all of its points.
pub fn figures(costs: &[Cost<'_>]) -> Result<Vec<Figure>> {
    let grids = grids(costs);
    let mut figures = Vec::new();
    for grid in &grids {
        figures.extend(of_grid(grid)?);
    }
    let mut places: Vec<(&str, u64)> = Vec::new();
    for cost in costs {
        let place = (cost.group.place.query.as_str(), cost.group.place.events);
        let in_grid = grids.iter().any(|grid| grid.part == cost.group.place.part);
        if !in_grid && !places.contains(&place) {
            places.push(place);
        }
    }
    for (query, events) in places {
        let of = |cost: &&Cost<'_>| {
            (cost.group.place.query.as_str(), cost.group.place.events) == (query, events)
        };
        let bars = bars(costs.iter().filter(of));
        if bars.iter().all(|bar| bar.rate.is_none()) {
            continue;
        }
        let limits = limits(costs, query, events);
        let height = (ROW * bars.len() as i32 + TEXT * 2 * limits.len() as i32 + 120) as u32;
        figures.push(Figure {
            name: file_name(&["cost", query, &events.to_string()]),
            svg: chart::draw(height, |area| drawn(area, &bars, &limits))?,
            question: format!(
                "How many events does a CPU-second pay for? ({query}, {} events)",
                grouped(events)
            ),
            caveat: "Million events per CPU-second of the whole tree of processes: medians, with \
                     the range of the rounds as a thin line. Pale: the marginal figure of a \
                     virtual machine, without its start. Dashed: reading alone, reading and \
                     decoding, and one competent thread. Work of the broker is in no figure."
                .into(),
        });
    }
    Ok(figures)
}

/// The points of a grid one below the other, without limits.
fn of_grid(grid: &Grid<'_>) -> Result<Option<Figure>> {
    let mut bars = Vec::new();
    for (name, costs) in &grid.points {
        let name = if name.is_empty() { "base" } else { name };
        let of_point = self::bars(costs.iter().copied()).into_iter();
        bars.extend(of_point.map(|bar| Bar { name: format!("{name}, {}", bar.engine), ..bar }));
    }
    if bars.iter().all(|bar| bar.rate.is_none()) {
        return Ok(None);
    }
    let height = (ROW * bars.len() as i32 + 120) as u32;
    Ok(Some(Figure {
        name: file_name(&["grid", grid.part, &grid.events.to_string()]),
        svg: chart::draw(height, |area| drawn(area, &bars, &[]))?,
        question: format!("Which parameter makes events dear? (base: {})", grid.base),
        caveat: "Million events per CPU-second of the whole tree of processes: medians, with the \
                 range of the rounds as a thin line. One parameter differs from the base at each \
                 point; more rows, larger states and larger events are all in the figure."
            .into(),
    }))
}

/// An engine that is in several parts has one bar: that of the part with most rounds.
fn bars<'a>(costs: impl Iterator<Item = &'a Cost<'a>>) -> Vec<Bar<'a>> {
    let mut bars: Vec<Bar<'a>> = Vec::new();
    for cost in costs.filter(|cost| !LIMITS[..2].contains(&cost.group.engine)) {
        let verdict = cost.group.verdict();
        let bar = Bar {
            name: cost.group.engine.into(),
            engine: cost.group.engine,
            rate: cost.rate,
            marginal: cost.marginal.map(|spread| spread.median),
            remark: if cost.rate.is_none() { verdict.text } else { String::new() },
        };
        let count = |bar: &Bar<'_>| bar.rate.map_or(0, |rate| rate.count);
        match bars.iter_mut().find(|known| known.engine == bar.engine) {
            Some(known) if count(known) < count(&bar) => *known = bar,
            Some(_) => {}
            None => bars.push(bar),
        }
    }
    bars
}

/// Reading and decoding are the same for every query.
fn limits<'a>(costs: &'a [Cost<'_>], query: &str, events: u64) -> Vec<(&'a str, f64)> {
    let line = |engine: &str| {
        let of = |cost: &&Cost<'_>| {
            let place = &cost.group.place;
            let same_query = engine != "single_thread" || place.query == query;
            cost.group.engine == engine && place.events == events && same_query
        };
        let cost = costs.iter().filter(of).find(|cost| cost.rate.is_some())?;
        Some((cost.group.engine, cost.rate?.median))
    };
    let mut lines: Vec<(&str, f64)> = LIMITS.into_iter().filter_map(line).collect();
    // The furthest first: no line crosses the name of another.
    lines.sort_by(|a, b| b.1.total_cmp(&a.1));
    lines
}

fn drawn(area: &Area<'_>, bars: &[Bar<'_>], limits: &[(&str, f64)]) -> Drawn {
    let rows = bars.len() as f64;
    let rates = bars.iter().filter_map(|bar| bar.rate).map(|rate| rate.max);
    let greatest = rates.chain(limits.iter().map(|limit| limit.1)).fold(0.0, f64::max);
    // Room for the figure beside the longest bar.
    let x = Axis::from_zero("M events per CPU-second", greatest * 1.12);
    let label = |step: i32| TEXT * 3 / 2 * step + TEXT * 3 / 4;
    // Names of points may need more room than those of engines.
    let widest = bars.iter().map(|bar| chart::width(&bar.name)).max().unwrap_or(0);
    let left = LEFT.max(widest + 32);
    let room = TEXT * 3 / 2 * limits.len() as i32 + 12;
    let mut chart = ChartBuilder::on(area)
        .margin_top(room)
        .margin_left(left)
        .margin_right(RIGHT)
        .x_label_area_size(92)
        .build_cartesian_2d(x.clone(), 0.0..rows)?;
    chart
        .configure_mesh()
        .disable_y_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(GRID.stroke_width(2))
        .axis_style(MUTED.stroke_width(2))
        .label_style(text(MUTED, HPos::Center))
        .axis_desc_style(text(MUTED, HPos::Center))
        .x_desc(x.name.as_str())
        .draw()?;
    // Lines before names, which are then read across them.
    for ((_, rate), step) in limits.iter().zip(0..) {
        let line = [(*rate, 0.0), (*rate, rows)];
        chart.draw_series(DashedLineSeries::new(line, 10, 8, MUTED.stroke_width(3)))?;
        let (at, top) = chart.backend_coord(&(*rate, rows));
        area.draw(&PathElement::new([(at, label(step)), (at, top)], MUTED.stroke_width(2)))?;
    }
    for ((name, rate), step) in limits.iter().zip(0..) {
        let (at, _) = chart.backend_coord(&(*rate, rows));
        let words = format!("{name} {}", short(Some(*rate)));
        let (at, side) = match chart::width(&words) + 16 < at {
            true => (at - 10, HPos::Right),
            false => (at + 10, HPos::Left),
        };
        area.draw(&Text::new(words, (at, label(step)), text(MUTED, side)))?;
    }
    for (bar, row) in bars.iter().zip(0..) {
        let middle = rows - f64::from(row) - 0.5;
        let colour = chart::colour(bar.engine);
        let box_of = |until: f64, half: f64| [(0.0, middle - half), (until, middle + half)];
        if let Some(marginal) = bar.marginal {
            let pale = colour.mix(0.35).filled();
            chart.draw_series([Rectangle::new(box_of(marginal, 0.28), pale)])?;
        }
        let end = bar.rate.map_or(0.0, |rate| rate.median);
        chart.draw_series([Rectangle::new(box_of(end, 0.28), colour.filled())])?;
        let mut furthest = end.max(bar.marginal.unwrap_or(0.0));
        if let Some(rate) = bar.rate.filter(|rate| 1 < rate.count) {
            let range = [(rate.min, middle), (rate.max, middle)];
            chart.draw_series([PathElement::new(range, INK.stroke_width(3))])?;
            furthest = furthest.max(rate.max);
        }
        let (at, down) = chart.backend_coord(&(furthest, middle));
        let name = Text::new(bar.name.clone(), (left - 16, down), text(INK, HPos::Right));
        area.draw(&name)?;
        let (words, colour) = told(bar);
        area.draw(&Text::new(words, (at + 12, down), text(colour, HPos::Left)))?;
    }
    Ok(())
}

/// What stands beside a bar.
fn told(bar: &Bar<'_>) -> (String, RGBColor) {
    match (bar.rate, bar.marginal) {
        (None, _) => (format!("no figure: {}", bar.remark), MUTED),
        (Some(rate), None) => (short(Some(rate.median)), INK),
        (Some(rate), Some(marginal)) => {
            let [whole, marginal] = [rate.median, marginal].map(|rate| short(Some(rate)));
            (format!("{whole} (marginal {marginal})"), INK)
        }
    }
}
