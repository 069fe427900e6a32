//! What has changed between the dataflow of a checkpoint and that of the job that goes on from it.
//!
//! An operator that keeps what it kept goes on with it. One that is new begins with nothing, one
//! that is gone is named. What does not fit is refused: a state of another shape, an operator that
//! is fed by a source that it did not know, and a sink that leaves before it has delivered.

use std::collections::{BTreeMap, BTreeSet};

use super::Owner;
use super::manifest::{Manifest, Shape};
use crate::text::Text;

/// What has changed.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Changes {
    /// The operators that go on, each with its name in the checkpoint.
    pub(super) names: BTreeMap<Text, Text>,
    /// What one has to know, in sentences.
    pub(super) notes: Vec<String>,
}

/// Compares a job with the checkpoint that it is to go on from.
///
/// # Errors
///
/// Why it cannot.
pub(super) fn changes(then: &Manifest, now: &Owner) -> Result<Changes, String> {
    let names = names(&then.shapes, &now.shapes)?;
    let mut notes = Vec::new();
    let (old, new) = difference(then.sources.keys(), &now.sources);
    notes
        .extend(new.iter().map(|name| format!("source `{name}` is new: it begins at its `start`")));
    notes.extend(old.iter().map(|name| format!("source `{name}` is gone, and its positions")));
    for shape in now.shapes.iter().filter(|shape| !names.contains_key(&shape.operator)) {
        let what = shape.title();
        notes.push(match &shape.source {
            _ if shape.sources.iter().all(|source| new.contains(&source)) => {
                format!("{what} is new, as what feeds it")
            }
            Some(_) => format!("{what} remembers nothing of what it read before the checkpoint"),
            None => format!(
                "{what} is new: it begins at the checkpoint, and its first windows lack what was \
                 read before; to see that too it needs a source of its own, or a job with another \
                 `checkpoint.path`"
            ),
        });
    }
    let kept: BTreeSet<&Text> = names.values().collect();
    let gone = then.shapes.iter().filter(|shape| !kept.contains(&shape.operator));
    notes.extend(gone.map(|shape| format!("{} is gone, and what it kept", shape.title())));
    notes.extend(sinks(then, now)?);
    Ok(Changes { names, notes })
}

/// Finds for each operator the one that it was. One that does not fill its first view any more has
/// another name: it is known by the others.
fn names(then: &[Shape], now: &[Shape]) -> Result<BTreeMap<Text, Text>, String> {
    let mut names = BTreeMap::new();
    let mut left: Vec<&Shape> = then.iter().collect();
    let by_name = |one: &Shape, other: &Shape| one.operator == other.operator;
    let by_view = |one: &Shape, other: &Shape| one.views.iter().any(|v| other.views.contains(v));
    for are_one in [&by_name as &dyn Fn(&Shape, &Shape) -> bool, &by_view] {
        for shape in now {
            if names.contains_key(&shape.operator) {
                continue;
            }
            let Some(at) = left.iter().position(|other| are_one(other, shape)) else { continue };
            let (other, what) = (left.remove(at), shape.title());
            if other.parts != shape.parts {
                let (other, parts) = (other.parts.join(", "), shape.parts.join(", "));
                return Err(format!("{what} kept [{other}] there and keeps [{parts}] now"));
            }
            if let Some(source) = shape.sources.iter().find(|name| !other.sources.contains(name)) {
                return Err(format!(
                    "{what} was not fed by source `{source}`, whose records would come too late \
                     for windows that have closed"
                ));
            }
            names.insert(shape.operator.clone(), other.operator.clone());
        }
    }
    Ok(names)
}

/// What to know about sinks that are new or gone.
fn sinks(then: &Manifest, now: &Owner) -> Result<Vec<String>, String> {
    let (old, new) = difference(then.receipts.keys(), &now.sinks);
    let mut notes = Vec::new();
    for name in old {
        let files = then.receipts[name].iter().flat_map(|receipt| &receipt.receipt.outbox);
        let rows: usize = files.map(|file| file.rows).sum();
        if 0 < rows {
            return Err(format!("the sink of `{name}` is gone, and {rows} rows wait for it there"));
        }
        notes.push(format!("the sink of `{name}` is gone; what it has written stays"));
    }
    let begins = "is new: it gets the rows from the checkpoint on";
    notes.extend(new.iter().map(|name| format!("the sink of `{name}` {begins}")));
    Ok(notes)
}

/// The names that are only in the first, and those that are only in the second.
fn difference<'a>(
    then: impl Iterator<Item = &'a Text>,
    now: &'a [Text],
) -> (Vec<&'a Text>, Vec<&'a Text>) {
    let (then, now): (BTreeSet<_>, BTreeSet<_>) = (then.collect(), now.iter().collect());
    (then.difference(&now).copied().collect(), now.difference(&then).copied().collect())
}

impl Shape {
    fn title(&self) -> String {
        match &self.source {
            Some(source) => format!("source `{source}`"),
            None => format!("view `{}`", self.operator),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::manifest::{OutboxFile, Receipt, SinkReceipt};
    use super::*;
    use crate::time::Time;

    fn texts(words: &str) -> Vec<Text> {
        words.split_whitespace().map(Text::from).collect()
    }

    /// An operator by its views, the first of which gives it its name.
    fn shape(views: &str, part: &str, sources: &str) -> Shape {
        let (views, sources) = (texts(views), texts(sources));
        let operator = views[0].clone();
        Shape { operator, parts: vec![part.into()], views, sources, source: None }
    }

    fn owner(shapes: &[Shape], sources: &str, sinks: &str) -> Owner {
        let (sources, sinks) = (texts(sources), texts(sinks));
        Owner { shapes: shapes.to_vec(), sources, sinks, ..Owner::default() }
    }

    /// What the checkpoint of a job says.
    fn then(Owner { system, job, shapes, sources, sinks }: Owner) -> Manifest {
        Manifest {
            system,
            job,
            engine: "0".into(),
            generation: 1,
            life: 1,
            epoch: 1,
            peers: 1,
            written_at: Time::from_micros(0),
            done: false,
            shapes,
            sources: sources.into_iter().map(|name| (name, vec![])).collect(),
            states: BTreeMap::new(),
            receipts: sinks.into_iter().map(|name| (name, vec![])).collect(),
        }
    }

    /// Names as `now=then`, then the first words of each note.
    fn found(then: &Manifest, now: &Owner) -> Result<(String, Vec<String>), String> {
        let Changes { names, notes } = changes(then, now)?;
        let names: Vec<String> = names.iter().map(|(now, then)| format!("{now}={then}")).collect();
        let first = |note: String| note.split([':', ',', ';']).next().unwrap_or("").to_owned();
        Ok((names.join(" "), notes.into_iter().map(first).collect()))
    }

    #[test]
    fn what_is_the_same_goes_on_what_is_new_or_gone_is_named() {
        let (a, b, c) = (shape("a", "1", "s"), shape("b", "2", "s"), shape("c", "3", "s t"));
        let kept = then(owner(&[a.clone(), b.clone()], "s", "a b"));
        let check = |shapes: &[Shape], sources, sinks, names: &str, notes: &[&str]| {
            let notes = notes.iter().map(|note| (*note).to_owned()).collect();
            let found = found(&kept, &owner(shapes, sources, sinks));
            assert_eq!(found, Ok((names.to_owned(), notes)));
        };
        check(&[a.clone(), b.clone()], "s", "a b", "a=a b=b", &[]);
        check(&[b.clone(), a.clone()], "s", "a b", "a=a b=b", &[]);
        let notes = ["view `a` is gone", "the sink of `a` is gone"];
        check(std::slice::from_ref(&b), "s", "b", "b=b", &notes);
        let notes = ["source `t` is new", "view `c` is new", "the sink of `c` is new"];
        check(&[a.clone(), b.clone(), c], "s t", "a b c", "a=a b=b", &notes);
        let d = shape("d", "4", "t");
        let notes = ["source `t` is new", "source `s` is gone", "view `d` is new"];
        let gone = ["view `a` is gone", "view `b` is gone"];
        check(&[d], "t", "a b", "", &[&notes[..], &gone].concat());
    }

    #[test]
    fn an_operator_that_lost_its_first_view_is_known_by_the_others() {
        let kept = then(owner(&[shape("a b c", "1", "s"), shape("d", "1", "s")], "s", "d"));
        let now = owner(&[shape("c b", "1", "s"), shape("d", "1", "s")], "s", "d");
        assert_eq!(found(&kept, &now), Ok(("c=a d=d".into(), vec![])));
    }

    #[test]
    fn what_a_source_remembers_is_a_state_too() {
        let memory =
            |part: &str| Shape { source: Some("s".into()), ..shape("source-s", part, "s") };
        let ids = then(owner(&[memory("ids")], "s", ""));
        assert_eq!(found(&ids, &owner(&[memory("ids")], "s", "")).map(|found| found.1), Ok(vec![]));
        let other = found(&ids, &owner(&[memory("rows")], "s", ""));
        let why = "source `s` kept [ids] there and keeps [rows] now";
        assert_eq!(other, Err(why.into()));
        let nothing = then(owner(&[], "s", ""));
        let notes = found(&nothing, &owner(&[memory("ids")], "s", "")).map(|found| found.1);
        let note = "source `s` remembers nothing of what it read before the checkpoint";
        assert_eq!(notes, Ok(vec![note.into()]));
    }

    #[test]
    fn what_does_not_fit_is_refused_with_the_reason() {
        let mut kept = then(owner(&[shape("a", "1", "s")], "s t", "a"));
        let refused = |kept: &Manifest, now: &Owner| found(kept, now).expect_err("it does not fit");
        let other = refused(&kept, &owner(&[shape("a", "2", "s")], "s", "a"));
        assert_eq!(other, "view `a` kept [1] there and keeps [2] now");
        let renamed = refused(&kept, &owner(&[shape("b a", "2", "s")], "s", "a"));
        assert_eq!(renamed, "view `b` kept [1] there and keeps [2] now");
        let fed = refused(&kept, &owner(&[shape("a", "1", "s t")], "s t", "a"));
        assert!(fed.starts_with("view `a` was not fed by source `t`, "), "{fed}");
        let file = OutboxFile { epoch: 1, name: "outbox".into(), bytes: 9, rows: 3 };
        let receipt = Receipt { outbox: vec![file], ..Receipt::default() };
        kept.receipts.insert("a".into(), vec![SinkReceipt { shard: 0, receipt }]);
        let waiting = refused(&kept, &owner(&[shape("a", "1", "s")], "s t", ""));
        assert_eq!(waiting, "the sink of `a` is gone, and 3 rows wait for it there");
    }
}
