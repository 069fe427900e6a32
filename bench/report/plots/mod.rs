//! Plots of a run, each with the question it answers and what must be known before it is believed.

mod bars;
pub(super) mod chart;
mod latency;
mod ratios;
mod timeline;

use highwater::error::Result;

use crate::harness::folder::Results;

use super::document::Figure;
use super::figures::Cost;
use super::loads::Loaded;

/// Plots of costs.
///
/// # Errors
///
/// None that a caller could cause.
pub fn of_costs(costs: &[Cost<'_>]) -> Result<Vec<Figure>> {
    let mut figures = bars::figures(costs)?;
    figures.extend(ratios::figure(costs)?);
    Ok(figures)
}

/// Plots of one load: all engines that were under it.
///
/// # Errors
///
/// A log of the run cannot be read.
pub fn of_load(results: &Results, loads: &[Loaded<'_>]) -> Result<Vec<Figure>> {
    let mut figures = Vec::new();
    figures.extend(latency::distribution(results, loads)?);
    figures.extend(timeline::figure(results, loads)?);
    Ok(figures)
}

/// Plots of several loads.
///
/// # Errors
///
/// None that a caller could cause.
pub fn of_loads(loads: &[Loaded<'_>]) -> Result<Vec<Figure>> {
    latency::by_rate(loads)
}

/// A name for a file.
fn file_name(parts: &[&str]) -> String {
    parts.join("-").replace([' ', '_'], "-")
}
