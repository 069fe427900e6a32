//! What all plots share: colours, axes, lines that bear their names.
//!
//! Drawn at twice the size it is shown. Colours are those of a light page; a dark one replaces them
//! by its style sheet, which knows each by its value.

use std::ops::Range;

use highwater::error::{Error, Result};
use plotters::coord::Shift;
use plotters::coord::ranged1d::{KeyPointHint, NoDefaultFormatting, Ranged, ValueFormatter};
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

/// Width of a plot, at twice the size it is shown.
pub const WIDTH: u32 = 1_040;
/// Size of text.
pub const TEXT: i32 = 26;
/// Text and whatever matters.
pub const INK: RGBColor = RGBColor(0x1B, 0x1F, 0x24);
/// Axes, limits, remarks.
pub const MUTED: RGBColor = RGBColor(0x57, 0x60, 0x6A);
/// Grid.
pub const GRID: RGBColor = RGBColor(0xD9, 0xDE, 0xE4);

/// Colours of the engines, after Okabe and Ito, which also the colour-blind can tell apart; and
/// lighter ones for a dark page.
const COLOURS: [(&str, RGBColor, &str); 6] = [
    ("highwater", RGBColor(0x00, 0x72, 0xB2), "#4FB0EA"),
    ("flink", RGBColor(0xD5, 0x5E, 0x00), "#F08A3C"),
    ("spark", RGBColor(0xE6, 0x9F, 0x00), "#F2B632"),
    ("spark_rtm", RGBColor(0xCC, 0x79, 0xA7), "#DD94BD"),
    ("kafka_streams", RGBColor(0x00, 0x9E, 0x73), "#2CC295"),
    ("kafka_streams_grace", RGBColor(0x56, 0xB4, 0xE9), "#8FD0F5"),
];

/// What drawing may end with.
pub type Drawn = std::result::Result<(), DrawingAreaErrorKind<std::io::Error>>;
/// Where it is drawn.
pub type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// An axis.
#[derive(Clone)]
pub struct Axis {
    /// What is on it, with its unit.
    pub name: String,
    /// Whether equal steps are equal factors.
    pub is_log: bool,
    /// Its least value.
    pub min: f64,
    /// Its greatest value.
    pub max: f64,
}

/// A line.
pub struct Curve {
    /// Its name; nothing is written if it is empty.
    pub label: String,
    /// Its colour.
    pub colour: RGBColor,
    /// Whether it is dashed.
    pub is_dashed: bool,
    /// Its points, in order.
    pub points: Vec<(f64, f64)>,
}

/// The colour of an engine, the same in all plots; that of axes for what is no engine.
pub fn colour(engine: &str) -> RGBColor {
    let known = COLOURS.iter().find(|(name, ..)| *name == engine);
    match (engine, known) {
        (_, Some((_, colour, _))) => *colour,
        ("single_thread", _) => INK,
        _ => MUTED,
    }
}

/// Draws a plot of some height.
///
/// # Errors
///
/// None that a caller could cause.
pub fn draw(height: u32, body: impl FnOnce(&Area<'_>) -> Drawn) -> Result<String> {
    let mut svg = String::new();
    let area = SVGBackend::with_string(&mut svg, (WIDTH, height)).into_drawing_area();
    body(&area).and_then(|()| area.present()).map_err(Error::bug)?;
    drop(area);
    Ok(svg)
}

/// Text of some colour, anchored at its left, its middle or its right, in the middle of its height.
pub fn text(colour: RGBColor, at: HPos) -> TextStyle<'static> {
    // The back end divides the size by this.
    let font = ("sans-serif", f64::from(TEXT) * 1.24).into_font();
    font.color(&colour).pos(Pos::new(at, VPos::Center))
}

/// About how wide a text is.
pub fn width(label: &str) -> i32 {
    label.chars().count() as i32 * TEXT * 14 / 25
}

impl Axis {
    /// An axis that begins with zero and has room for a value.
    pub fn from_zero(name: &str, greatest: f64) -> Axis {
        let max = if 0.0 < greatest { greatest * 1.06 } else { 1.0 };
        Axis { name: name.into(), is_log: false, min: 0.0, max }
    }

    /// An axis of factors that has room for some values.
    pub fn of_factors(name: &str, values: impl Iterator<Item = f64>) -> Axis {
        let (mut min, mut max) = (f64::MAX, 0.0_f64);
        for value in values.filter(|value| 0.0 < *value) {
            (min, max) = (min.min(value), max.max(value));
        }
        if max < min {
            (min, max) = (1.0, 10.0);
        }
        Axis { name: name.into(), is_log: true, min: min / 1.15, max: max * 1.15 }
    }

    fn ticks(&self) -> Vec<f64> {
        if !self.is_log {
            let rough = (self.max - self.min) / 5.0;
            let power = 10_f64.powf(rough.log10().floor());
            let step = [1.0, 2.0, 5.0, 10.0].map(|n| n * power).into_iter().find(|s| rough <= *s);
            let step = step.unwrap_or(rough);
            return (0..)
                .map(|n| f64::from(n) * step)
                .take_while(|tick| *tick <= self.max)
                .collect();
        }
        let decades = (self.max / self.min).log10();
        let steps: &[f64] = match decades {
            2.5.. => &[1.0],
            0.8.. => &[1.0, 2.0, 5.0],
            _ => &[1.0, 1.2, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0],
        };
        let powers = self.min.log10().floor() as i32..=self.max.log10().ceil() as i32;
        let all = powers.flat_map(|power| steps.iter().map(move |step| step * 10_f64.powi(power)));
        let inside = |tick: &f64| self.min <= *tick * 1.000_001 && *tick <= self.max * 1.000_001;
        all.filter(inside).collect()
    }
}

impl Ranged for Axis {
    type FormatOption = NoDefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, (from, to): (i32, i32)) -> i32 {
        let share = match self.is_log {
            true => (value.max(self.min) / self.min).ln() / (self.max / self.min).ln(),
            false => (value - self.min) / (self.max - self.min),
        };
        from + (f64::from(to - from) * share).round() as i32
    }

    fn key_points<Hint: KeyPointHint>(&self, _: Hint) -> Vec<f64> {
        self.ticks()
    }

    fn range(&self) -> Range<f64> {
        self.min..self.max
    }
}

impl ValueFormatter<f64> for Axis {
    fn format(value: &f64) -> String {
        short_number(*value)
    }
}

/// A number as axes show it, such as `5 k`.
pub fn short_number(value: f64) -> String {
    match value {
        1e6.. => format!("{} M", trimmed(value / 1e6)),
        1e3.. => format!("{} k", trimmed(value / 1e3)),
        _ => trimmed(value),
    }
}

/// A number without zeros at its end.
fn trimmed(value: f64) -> String {
    let text = format!("{value:.6}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// Draws lines with their names at their ends, and what of the axis is shaded because it was not
/// measured. `right` is the room for names.
pub fn lines(
    area: &Area<'_>,
    (x, y): (&Axis, &Axis),
    curves: &[Curve],
    shaded_until: Option<f64>,
    right: u32,
) -> Drawn {
    area.draw(&Text::new(y.name.clone(), (4, TEXT * 3 / 4), text(MUTED, HPos::Left)))?;
    let x_name = if x.name.is_empty() { 50 } else { 92 };
    let mut chart = ChartBuilder::on(area)
        .margin_top(TEXT * 2)
        .margin_right(right)
        .x_label_area_size(x_name)
        .y_label_area_size(128)
        .build_cartesian_2d(x.clone(), y.clone())?;
    if let Some(until) = shaded_until.filter(|until| 0.0 < *until) {
        let corners = [(x.min, y.min), (until, y.max)];
        chart.draw_series([Rectangle::new(corners, GRID.mix(0.5).filled())])?;
    }
    chart
        .configure_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(GRID.stroke_width(2))
        .axis_style(MUTED.stroke_width(2))
        .label_style(text(MUTED, HPos::Center))
        .axis_desc_style(text(MUTED, HPos::Center))
        .x_desc(x.name.as_str())
        .draw()?;
    for curve in curves {
        let points = curve.points.iter().copied();
        if curve.is_dashed {
            let style = curve.colour.stroke_width(3);
            chart.draw_series(DashedLineSeries::new(points, 12, 8, style))?;
        } else {
            chart.draw_series(LineSeries::new(points, curve.colour.stroke_width(4)))?;
        }
    }
    let (left, top) = area.get_base_pixel();
    let ends = curves.iter().filter(|curve| !curve.label.is_empty()).filter_map(|curve| {
        let (at, down) = chart.backend_coord(curve.points.last()?);
        Some((curve, (at - left, down - top)))
    });
    names(area, ends.collect())
}

/// Writes names beside the ends of lines, or as near as they do not cover one another.
fn names(area: &Area<'_>, mut ends: Vec<(&Curve, (i32, i32))>) -> Drawn {
    let (width_all, height_all) = area.dim_in_pixel();
    let mut taken: Vec<(i32, i32, i32)> = Vec::new();
    ends.sort_by_key(|(_, (x, y))| (-y, *x));
    for (curve, (x, y)) in ends {
        area.draw(&Circle::new((x, y), 6, curve.colour.filled()))?;
        let wide = width(&curve.label) + 30;
        let left = (x + 14).min(width_all as i32 - wide);
        let covers = |middle: i32| {
            let near = |(a, b, m): &(i32, i32, i32)| {
                left < *b && *a < left + wide && (m - middle).abs() < TEXT + 4
            };
            taken.iter().any(near)
        };
        let inside = TEXT / 2..height_all as i32 - TEXT / 2;
        let places = (0..height_all as i32).flat_map(|off| [y - off, y + off]);
        let middle = places.filter(|middle| inside.contains(middle)).find(|at| !covers(*at));
        let middle = middle.unwrap_or(y);
        taken.push((left, left + wide, middle));
        let mark = [(left, middle - 8), (left + 16, middle + 8)];
        area.draw(&Rectangle::new(mark, curve.colour.filled()))?;
        let name = curve.label.clone();
        area.draw(&Text::new(name, (left + 24, middle), text(INK, HPos::Left)))?;
    }
    Ok(())
}

/// The style sheet of plots, for a page or for a plot of its own.
pub fn themes() -> String {
    let mut dark = vec![(INK, "#E4E8EC"), (MUTED, "#9AA5B1"), (GRID, "#333B44")];
    dark.extend(COLOURS.map(|(_, light, dark)| (light, dark)));
    let rule = |(RGBColor(r, g, b), dark): &(RGBColor, &str)| {
        let light = format!("#{r:02X}{g:02X}{b:02X}");
        format!("svg [fill=\"{light}\"]{{fill:{dark}}}svg [stroke=\"{light}\"]{{stroke:{dark}}}\n")
    };
    // The name of a line is read also where it crosses another one.
    let halo = "svg text{paint-order:stroke;stroke-width:6px;stroke-linejoin:round;stroke:";
    format!(
        "{halo}#fff}}\n@media (prefers-color-scheme:dark){{{halo}#14171b}}\n{}}}\n",
        dark.iter().map(rule).collect::<String>()
    )
}

/// A plot within a page: as wide as there is room.
pub fn inline(svg: &str, label: &str) -> String {
    let rest = svg.split_once("viewBox").map_or(svg, |(_, rest)| rest);
    format!("<svg role=\"img\" aria-label=\"{label}\" viewBox{rest}")
}

/// A plot in a file of its own.
pub fn standalone(svg: &str, title: &str) -> String {
    let title = title.replace('&', "&amp;").replace('<', "&lt;");
    let page = "svg{background:#fff}@media (prefers-color-scheme:dark){svg{background:#14171b}}";
    let (head, rest) = svg.split_once('>').unwrap_or((svg, ""));
    format!("{head}>\n<title>{title}</title>\n<style>\n{page}\n{}</style>{rest}", themes())
}
