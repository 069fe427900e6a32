//! `[source.NAME]`, `[sink.NAME]`, `[view.NAME]` and their `"*"`: from layers to one name's tables.
//!
//! ```text
//! for each layer, oldest first:   "*" of the layer  ─►  the named table of the layer
//! ```
//!
//! So a named table wins over the `"*"` of its own layer, and a later layer over an earlier one,
//! also with `"*"`. Tables are laid over each other key by key, but a binding (the table of a
//! connector) replaces the older one whole. An array `[[sink.NAME]]` replaces all there was; its
//! elements begin with what `"*"` has said so far.

use std::collections::BTreeSet;

use super::Kinds;
use super::fields::Fields;
use super::node::{Node, Origin, Table, Value, merge_binding};
use crate::error::{Error, Result};

/// Which section of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Port {
    /// `[source.NAME]`.
    Source,
    /// `[sink.NAME]`, `[[sink.NAME]]`.
    Sink,
    /// `[view.NAME]`.
    View,
}

impl Port {
    /// Its key in a file.
    pub(super) const fn key(self) -> &'static str {
        match self {
            Port::Source => "source",
            Port::Sink => "sink",
            Port::View => "view",
        }
    }

    /// The connectors that can be bound to it.
    pub(super) const fn kinds(self, kinds: Kinds) -> &'static [&'static str] {
        match self {
            Port::Source => kinds.sources,
            Port::Sink => kinds.sinks,
            Port::View => &[],
        }
    }
}

/// One layer's section.
#[derive(Clone, Debug, Default)]
pub(super) struct Section {
    /// What `"*"` says.
    pub(super) all: Option<Node>,
    /// What it says by name.
    pub(super) named: Table,
}

/// The tables of one name; several if several sinks are bound to it.
pub(super) type Resolved = Vec<(Table, Origin)>;

impl Section {
    /// Takes a section out of a layer, and refuses what is not a table.
    pub(super) fn take(layer: &mut Table, port: Port) -> Result<Section> {
        let Some(node) = layer.remove(port.key()) else { return Ok(Section::default()) };
        let Value::Table(mut named) = node.value else {
            let message = format!("`{0}` must be tables such as [{0}.NAME]", port.key());
            return Err(Error::config(message).within(node.origin));
        };
        let limits: Table = named.extract_if(.., |key, node| is_limit(key, node)).collect();
        let mut all = named.remove("*");
        if let Some((_, first)) = limits.iter().next() {
            let origin = first.origin.clone();
            let empty = Node { value: Value::Table(Table::new()), origin, partial: false };
            if let Value::Table(table) = &mut all.get_or_insert(empty).value {
                limits.into_iter().for_each(|(key, node)| {
                    table.entry(key).or_insert(node);
                });
            }
        }
        named.iter().try_for_each(|(name, node)| check_form(port, name, node))?;
        all.iter().try_for_each(|node| check_form(port, "*", node))?;
        Ok(Section { all, named })
    }
}

/// `[source] batch_events_max = 100` is the same as in `[source."*"]`.
fn is_limit(key: &str, node: &Node) -> bool {
    key.ends_with("_max") && !matches!(node.value, Value::Table(_) | Value::Array(_))
}

fn check_form(port: Port, name: &str, node: &Node) -> Result<()> {
    let key = port.key();
    let is_tables = |nodes: &[Node]| nodes.iter().all(|node| node.as_table().is_some());
    match &node.value {
        Value::Table(_) => Ok(()),
        Value::Array(nodes) if port == Port::Sink && is_tables(nodes) && !nodes.is_empty() => {
            Ok(())
        }
        value => {
            let place = super::fields::join(key, name);
            let message = format!("`{place}` must be a table, not {}", value.shown());
            let hint = format!("write `{place}.KEY`, or `{key}.\"*\".{name}` for every {key}");
            Err(Error::config(message).hint(hint).within(&node.origin))
        }
    }
}

/// All names in some layers, without `"*"`.
pub(super) fn names<'a>(layers: impl Iterator<Item = &'a Section>) -> BTreeSet<&'a str> {
    layers.flat_map(|section| section.named.keys().map(String::as_str)).collect()
}

/// Lays the tables of one name over each other, with what `"*"` says or without.
pub(super) fn resolve<'a>(
    layers: impl Iterator<Item = &'a Section>,
    name: &str,
    kinds: &[&str],
    with_all: bool,
) -> Resolved {
    let mut tables = Resolver { kinds, all: Table::new(), tables: vec![] };
    for section in layers {
        if let Some(node) = section.all.as_ref().filter(|_| with_all) {
            tables.lay_all(node);
        }
        if let Some(node) = section.named.get(name) {
            tables.lay_named(node);
        }
    }
    tables.tables
}

struct Resolver<'k> {
    kinds: &'k [&'k str],
    /// What `"*"` has said so far, laid over each other.
    all: Table,
    /// The tables of the name so far.
    tables: Resolved,
}

impl Resolver<'_> {
    fn lay_all(&mut self, node: &Node) {
        match &node.value {
            Value::Table(table) => {
                merge_binding(&mut self.all, table, self.kinds);
                self.lay(node, table);
            }
            _ => {
                self.all.clear();
                self.replace(node);
            }
        }
    }

    fn lay_named(&mut self, node: &Node) {
        match &node.value {
            Value::Table(table) => self.lay(node, table),
            _ => self.replace(node),
        }
    }

    /// A table over one table, or over each of several that it does not bind anew.
    fn lay(&mut self, node: &Node, over: &Table) {
        let binds = over.keys().any(|key| self.kinds.contains(&key.as_str()));
        if self.tables.is_empty() || (binds && 1 < self.tables.len()) {
            self.tables = vec![(self.all.clone(), node.origin.clone())];
        }
        for (table, origin) in &mut self.tables {
            merge_binding(table, over, self.kinds);
            *origin = node.origin.clone();
        }
    }

    fn replace(&mut self, node: &Node) {
        let Value::Array(elements) = &node.value else { return };
        let laid = |element: &Node| {
            let mut table = self.all.clone();
            merge_binding(&mut table, element.as_table()?, self.kinds);
            Some((table, element.origin.clone()))
        };
        self.tables = elements.iter().filter_map(laid).collect();
    }
}

/// What ties a name to a service: kind, options, and where they were written.
#[derive(Default)]
pub(super) struct Binding {
    pub(super) kind: String,
    pub(super) options: toml::Table,
    pub(super) place: String,
}

/// Takes the one table of a connector; none if there is none.
pub(super) fn take_binding<'a>(
    fields: &mut Fields<'a>,
    kinds: &[&'a str],
) -> Result<Option<Binding>> {
    let mut found: Option<(&str, Node)> = None;
    for kind in kinds {
        let Some(node) = fields.node(kind) else { continue };
        if node.as_table().is_none() {
            let why = format!("must be a table of its options, not {}", node.value.shown());
            return Err(fields.refusal(kind, &node, why));
        }
        if let Some((other, _)) = &found {
            let why = format!("and `{other}` are two bindings; exactly one is needed");
            return Err(fields
                .refusal(kind, &node, why)
                .hint("several sinks of a view are written as [[sink.NAME]]"));
        }
        found = Some((kind, node));
    }
    let Some((kind, node)) = found else { return Ok(None) };
    let place = format!("{}: {}", node.origin, fields.path_of(kind));
    Ok(Some(Binding { kind: kind.to_owned(), options: fields.free(kind, &node)?, place }))
}
