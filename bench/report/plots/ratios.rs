//! How Highwater compares with each engine, with intervals.

use highwater::error::Result;
use plotters::prelude::*;
use plotters::style::text_anchor::HPos;

use crate::harness::stats::Estimate;

use super::Figure;
use super::chart::{self, Area, Axis, Drawn, GRID, INK, MUTED, text};
use crate::report::document::short;
use crate::report::figures::Cost;

const ROW: i32 = 56;
const RIGHT: i32 = 130;

/// A line: what is compared, and how.
struct Row {
    name: String,
    engine: String,
    ratio: Estimate,
}

/// The plot, if there is any ratio.
pub fn figure(costs: &[Cost<'_>]) -> Result<Option<Figure>> {
    let mut rows = Vec::new();
    for cost in costs {
        let place = &cost.group.place;
        let both = [(cost.ratio, ""), (cost.marginal_ratio, " marginal")];
        for (ratio, what) in both {
            rows.extend(ratio.map(|ratio| Row {
                name: format!(
                    "{}{what}, {} {}",
                    cost.group.engine,
                    place.query,
                    chart::short_number(place.events as f64)
                ),
                engine: cost.group.engine.into(),
                ratio,
            }));
        }
    }
    if rows.is_empty() {
        return Ok(None);
    }
    let height = (ROW * rows.len() as i32 + 130) as u32;
    Ok(Some(Figure {
        name: "ratios".into(),
        svg: chart::draw(height, |area| drawn(area, &rows))?,
        question: "How many times the events does Highwater process with the same CPU time?".into(),
        caveat: "Medians of the ratios of two trials of the same round, with 95 % bootstrap \
                 intervals (of one pair there is none; of two, both values). Right of 1, Highwater \
                 is cheaper; left of it, the other one. Marginal: Highwater's whole cost against \
                 the other one's without its start."
            .into(),
    }))
}

fn drawn(area: &Area<'_>, rows: &[Row]) -> Drawn {
    let values = rows.iter().flat_map(|row| [row.ratio.low, row.ratio.high]);
    let x = Axis::of_factors("times as many events per CPU-second", values.chain([1.0]));
    let left = rows.iter().map(|row| chart::width(&row.name)).max().unwrap_or(0) + 24;
    let count = rows.len() as f64;
    let mut chart = ChartBuilder::on(area)
        .margin_top(12)
        .margin_left(left)
        .margin_right(RIGHT)
        .x_label_area_size(92)
        .build_cartesian_2d(x.clone(), 0.0..count)?;
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
    let equal = [(1.0, 0.0), (1.0, count)];
    chart.draw_series([PathElement::new(equal, INK.stroke_width(3))])?;
    for (row, at) in rows.iter().zip(0..) {
        let middle = count - f64::from(at) - 0.5;
        let colour = chart::colour(&row.engine);
        let Estimate { median, low, high, .. } = row.ratio;
        let interval = [(low, middle), (high, middle)];
        chart.draw_series([PathElement::new(interval, colour.stroke_width(6))])?;
        chart.draw_series([Circle::new((median, middle), 10, colour.filled())])?;
        let (_, down) = chart.backend_coord(&(median, middle));
        area.draw(&Text::new(row.name.clone(), (left - 16, down), text(INK, HPos::Right)))?;
        let value = format!("{}×", short(Some(median)));
        let right = chart::WIDTH as i32 - 8;
        area.draw(&Text::new(value, (right, down), text(INK, HPos::Right)))?;
    }
    Ok(())
}
