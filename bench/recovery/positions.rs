//! How far a job is, by its checkpoints, and how far it should be.

use std::fs;
use std::path::{Path, PathBuf};

use highwater::checkpoint::Manifest;
use highwater::error::{Error, Result};
use highwater_dataflows::DATAFLOWS;

use super::BEHIND_MAX_S;

/// The checkpoints of all jobs of a system.
pub(super) struct Positions {
    folders: Vec<PathBuf>,
}

/// How many events had been read at a time, in seconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Point {
    pub(super) at_s: f64,
    pub(super) read: f64,
}

/// Points of an undisturbed run, in the order of time.
#[derive(Clone, Debug, Default)]
pub(super) struct Line {
    points: Vec<Point>,
}

/// A straight line through points.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Fit {
    through: Point,
    pub(super) per_s: f64,
}

impl Positions {
    pub(super) fn new(system: &str, dir: &Path) -> Positions {
        let jobs = DATAFLOWS.iter().filter(|job| job.system == system && !job.by_name);
        let folder = |name: &str| dir.join("checkpoints").join(name);
        Positions { folders: jobs.map(|job| folder(job.name)).collect() }
    }

    /// The newest checkpoint; of several jobs the sum of events at the time of the oldest one,
    /// once each has one.
    pub(super) fn newest(&self) -> Result<Option<Point>> {
        let mut all = Point { at_s: f64::INFINITY, read: 0.0 };
        for folder in &self.folders {
            let Some(manifest) = newest(folder)? else { return Ok(None) };
            let marks = manifest.sources.values().flatten();
            all.read += marks.map(|mark| mark.ledger.read as f64).sum::<f64>();
            all.at_s = all.at_s.min(manifest.written_at.micros() as f64 / 1e6);
        }
        Ok(Some(all))
    }
}

fn newest(folder: &Path) -> Result<Option<Manifest>> {
    let names = fs::read_dir(folder).into_iter().flatten().flatten();
    let names = names.filter_map(|entry| entry.file_name().into_string().ok());
    let Some(name) = names.filter(|name| Manifest::epoch_of(name).is_some()).max() else {
        return Ok(None);
    };
    // One that has been removed meanwhile has a successor.
    let Ok(bytes) = fs::read(folder.join(&name)) else { return Ok(None) };
    let manifest = Manifest::read(&bytes);
    manifest.map(Some).map_err(|damage| Error::bug(format!("{name}: {damage}")))
}

impl Line {
    /// Takes a point, unless it is there already.
    pub(super) fn add(&mut self, point: Point) {
        if self.points.last() != Some(&point) {
            self.points.push(point);
        }
    }

    pub(super) fn last(&self) -> Option<Point> {
        self.points.last().copied()
    }

    /// Whether the last so many points are on the line of events that come at a rate.
    pub(super) fn is_usual(&mut self, count: usize, rate: f64) -> bool {
        let surplus = self.points.len().saturating_sub(count);
        self.points.drain(..surplus);
        let Some(fit) = self.fit() else { return false };
        let is_near =
            |point: &Point| (fit.at(point.at_s) - point.read).abs() <= BEHIND_MAX_S * fit.per_s;
        self.points.len() == count
            && (0.9..1.1).contains(&(fit.per_s / rate))
            && self.points.iter().all(is_near)
    }

    /// The line with the least squares; none through less than three points.
    pub(super) fn fit(&self) -> Option<Fit> {
        let count = self.points.len() as f64;
        if self.points.len() < 3 {
            return None;
        }
        let mean = |of: fn(&Point) -> f64| self.points.iter().map(of).sum::<f64>() / count;
        let through = Point { at_s: mean(|point| point.at_s), read: mean(|point| point.read) };
        let both = self.points.iter().map(|point| {
            let at_s = point.at_s - through.at_s;
            (at_s * (point.read - through.read), at_s * at_s)
        });
        let (above, below) = both.fold((0.0, 0.0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
        (0.0 < below).then_some(Fit { through, per_s: above / below })
    }
}

impl Extend<Point> for Line {
    fn extend<I: IntoIterator<Item = Point>>(&mut self, points: I) {
        points.into_iter().for_each(|point| self.add(point));
    }
}

impl Fit {
    /// Events that are read at a time.
    pub(super) fn at(&self, at_s: f64) -> f64 {
        self.through.read + self.per_s * (at_s - self.through.at_s)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_usual_once_enough_points_are_on_it() {
        let mut line = Line::default();
        for at in 0..6 {
            line.add(Point { at_s: f64::from(at), read: 100.0 * f64::from(at) + 7.0 });
            line.add(Point { at_s: f64::from(at), read: 100.0 * f64::from(at) + 7.0 });
            assert_eq!(line.is_usual(4, 100.0), 3 <= at, "{at}");
        }
        assert!(!line.is_usual(4, 50.0), "another rate");
        let fit = line.fit().expect("a line");
        assert!((fit.at(10.0) - 1_007.0).abs() < 1e-6);
        line.add(Point { at_s: 6.0, read: 507.0 });
        assert!(!line.is_usual(4, 100.0), "it stands still");
    }
}
