//! `highwater list`: systems, jobs, connectors, codecs, data sets.

use std::fmt::Write;
use std::io;

use super::args::List;
use super::run::of_system;
use super::{Registry, plan};
use crate::config::Parameters;
use crate::error::{Error, Result};
use crate::sink::kinds::SINKS;
use crate::source::kinds::SOURCES;
use crate::stream::{Flow, Plan, Settings};

/// Prints what is asked for.
pub(super) fn list(list: &List, registry: Registry) -> Result<()> {
    let asked = |what: &str| list.what.as_deref().is_none_or(|one| one == what);
    let mut text = String::new();
    if asked("systems") || asked("jobs") {
        jobs(&mut text, list.system.as_deref(), registry)?;
    }
    if asked("sources") {
        title(&mut text, "sources");
        SOURCES.iter().for_each(|kind| line(&mut text, kind.name, kind.about));
    }
    if asked("sinks") {
        title(&mut text, "sinks");
        for kind in SINKS {
            line(&mut text, kind.name, kind.about);
            let (takes, promise) = (plan::accepts(kind.accepts), kind.guarantee);
            line(&mut text, "", &format!("takes {takes}; {promise}"));
        }
    }
    if asked("codecs") {
        title(&mut text, "codecs");
        line(&mut text, "json", "one document per record; arrays are taken apart");
        line(&mut text, "raw", "the record itself, for dataflows that ask for it; refuses none");
    }
    if asked("datasets") {
        title(&mut text, "data sets");
        for kind in registry.generators {
            line(&mut text, kind.name, kind.about);
            for topic in kind.topics {
                let about = format!(
                    "topic {}, {} partitions, keyed by {}",
                    topic.name, topic.partitions, topic.key
                );
                line(&mut text, &format!("  {}.{}", kind.name, topic.short), &about);
            }
        }
    }
    io::Write::write_all(&mut io::stdout(), text.as_bytes())
        .map_err(|error| Error::storage(format!("cannot write to standard output: {error}")))
}

fn jobs(text: &mut String, system: Option<&str>, registry: Registry) -> Result<()> {
    let dataflows = match system {
        Some(system) => of_system(registry, system)?,
        None => registry.dataflows.iter().collect(),
    };
    title(text, "jobs");
    for dataflow in dataflows {
        line(text, &format!("{}/{}", dataflow.system, dataflow.name), dataflow.about);
        let files = dataflow.overlays.iter().map(|(name, _)| format!("-c {name}"));
        line(
            text,
            "  files",
            &std::iter::once(dataflow.file.0.into())
                .chain(files)
                .collect::<Vec<String>>()
                .join(", "),
        );
        let flow = Flow::new(Settings::default());
        (dataflow.entry)(&flow, &mut Parameters::new(&toml::Table::new()))?;
        let plan: Plan = flow.take();
        line(text, "  sources", &plan.source_names().join(", "));
        for port in plan.sunk() {
            let columns = port.schema.columns.iter().map(|column| {
                let null = if column.nullable { "?" } else { "" };
                format!("{} {}{null}", column.name, column.kind)
            });
            line(text, &format!("  view {}", port.view), "");
            line(text, "    windows", &plan::windows(port, &plan));
            plan::wrapped(text, "", columns);
            plan::operational(text, port, &plan);
        }
    }
    Ok(())
}

fn title(text: &mut String, title: &str) {
    let gap = if text.is_empty() { "" } else { "\n" };
    let _ = writeln!(text, "{gap}{title}");
}

fn line(text: &mut String, name: &str, about: &str) {
    let row = format!("  {name:<28} {about}");
    let _ = writeln!(text, "{}", row.trim_end());
}
