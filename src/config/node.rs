//! What stands in the layers of a configuration: values that know where they were written.
//!
//! ```text
//! text of a file, or PATH=VALUE ─► Table of Nodes, each with its origin ─► merged, later ones win
//! ```

use std::collections::BTreeMap;
use std::sync::Arc;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::error::{Error, Result};

/// Where a value was written: `chat.toml:3`, or `--set connect.every`.
pub(super) type Origin = Arc<str>;

/// Keys with their values.
pub(super) type Table = BTreeMap<String, Node>;

/// A value and its origin.
#[derive(Clone, Debug)]
pub(super) struct Node {
    /// The value.
    pub(super) value: Value,
    /// Where it was written.
    pub(super) origin: Origin,
    /// It is a table that only leads to the value of a `--set`, so it replaces nothing whole.
    pub(super) partial: bool,
}

/// A value before the environment is put in.
#[derive(Clone, Debug)]
pub(super) enum Value {
    /// Text; the only value that may refer to the environment.
    Text(String),
    /// A whole number.
    Integer(i64),
    /// A number with a fraction.
    Float(f64),
    /// `true` or `false`.
    Flag(bool),
    /// Values in order.
    Array(Vec<Node>),
    /// Values by key.
    Table(Table),
}

impl Node {
    /// The table in it, if it is one.
    pub(super) fn as_table(&self) -> Option<&Table> {
        match &self.value {
            Value::Table(table) => Some(table),
            _ => None,
        }
    }

    /// Visits every text in it.
    pub(super) fn texts(&self, visit: &mut dyn FnMut(&str)) {
        match &self.value {
            Value::Text(text) => visit(text),
            Value::Array(nodes) => nodes.iter().for_each(|node| node.texts(visit)),
            Value::Table(table) => table.values().for_each(|node| node.texts(visit)),
            Value::Integer(_) | Value::Float(_) | Value::Flag(_) => {}
        }
    }
}

impl Value {
    /// How an error shows it.
    pub(super) fn shown(&self) -> String {
        match self {
            Value::Text(text) => format!("the text {text:?}"),
            Value::Integer(number) => format!("the integer {number}"),
            Value::Float(number) => format!("the number {number}"),
            Value::Flag(flag) => flag.to_string(),
            Value::Array(_) => "an array".into(),
            Value::Table(_) => "a table".into(),
        }
    }
}

/// Reads a TOML document; `name` is what errors call it.
pub(super) fn parse_file(name: &str, text: &str) -> Result<Table> {
    let document = DeTable::parse(text).map_err(|error| broken(name, text, &error))?;
    let line = |at: usize| text[..at].matches('\n').count() + 1;
    table(document.into_inner(), &|at| format!("{name}:{}", line(at)).into())
}

/// Reads `PATH=VALUE`; a VALUE that is not TOML is taken as text.
pub(super) fn parse_set(set: &str) -> Result<Table> {
    let example = "write one like --set 'source.\"*\".max_rate_per_partition=1500'";
    let wrong = |why: &str| Error::config(why).hint(example).within(format!("--set {set}"));
    let (path, text) = split_set(set).ok_or_else(|| wrong("there is no `=` behind the path"))?;
    let document = format!("{path} = 0");
    let keys = DeTable::parse(&document)
        .ok()
        .and_then(|table| only_path(table.into_inner()))
        .ok_or_else(|| wrong("the path is not one of TOML's dotted keys"))?;
    let origin: Origin = format!("--set {}", path.trim()).into();
    let value = match DeValue::parse(text.trim()) {
        Ok(value) => node(value, origin.clone(), &|_| origin.clone())?.value,
        Err(_) => Value::Text(text.trim().to_owned()),
    };
    let leaf = Node { value, origin: origin.clone(), partial: false };
    let nested = keys.into_iter().rev().fold(leaf, |inner, key| Node {
        value: Value::Table(Table::from([(key, inner)])),
        origin: origin.clone(),
        partial: true,
    });
    match nested.value {
        Value::Table(table) => Ok(table),
        _ => Err(wrong("the path is empty")),
    }
}

/// Lays `over` on `base`, key by key; what is not a table is replaced.
pub(super) fn merge(base: &mut Table, over: &Table) {
    for (key, node) in over {
        merge_key(base, key, node);
    }
}

/// Lays `over` on `base`, but a table of one of `kinds` replaces the older one of any kind whole.
pub(super) fn merge_binding(base: &mut Table, over: &Table, kinds: &[&str]) {
    let is_kind = |key: &str| kinds.contains(&key);
    let continues = |key: &str, node: &Node| node.partial && base.contains_key(key);
    if over.iter().any(|(key, node)| is_kind(key) && !continues(key, node)) {
        base.retain(|key, _| !is_kind(key));
    }
    merge(base, over);
}

fn merge_key(base: &mut Table, key: &str, over: &Node) {
    match (base.get_mut(key), &over.value) {
        (Some(Node { value: Value::Table(old), origin, .. }), Value::Table(new)) => {
            merge(old, new);
            if over.partial && *origin != over.origin {
                *origin = format!("{origin}, {}", over.origin).into();
            }
        }
        _ => {
            base.insert(key.to_owned(), over.clone());
        }
    }
}

/// Splits at the first `=` outside quotes.
fn split_set(set: &str) -> Option<(&str, &str)> {
    let mut quote = None;
    for (at, c) in set.char_indices() {
        match (quote, c) {
            (None, '=') => return Some((&set[..at], &set[at + 1..])),
            (None, '"' | '\'') => quote = Some(c),
            (Some(open), _) if open == c => quote = None,
            _ => {}
        }
    }
    None
}

/// The keys that lead to the only value of a document.
fn only_path(table: DeTable<'_>) -> Option<Vec<String>> {
    let mut path = vec![];
    let mut entries = table.into_iter();
    loop {
        let (key, value) = entries.next()?;
        if entries.next().is_some() {
            return None;
        }
        path.push(key.into_inner().into_owned());
        match value.into_inner() {
            DeValue::Table(inner) => entries = inner.into_iter(),
            _ => return Some(path),
        }
    }
}

fn table(table: DeTable<'_>, origin: &dyn Fn(usize) -> Origin) -> Result<Table> {
    table
        .into_iter()
        .map(|(key, value)| {
            let place = origin(key.span().start);
            Ok((key.into_inner().into_owned(), node(value, place, origin)?))
        })
        .collect()
}

fn node(
    value: Spanned<DeValue<'_>>,
    place: Origin,
    origin: &dyn Fn(usize) -> Origin,
) -> Result<Node> {
    let value = match value.into_inner() {
        DeValue::String(text) => Value::Text(text.into_owned()),
        DeValue::Integer(number) => {
            Value::Integer(i64::from_str_radix(number.as_str(), number.radix()).map_err(|_| {
                Error::config(format!("the integer {number} is too large")).within(&place)
            })?)
        }
        DeValue::Float(number) => Value::Float(number.as_str().parse().map_err(|_| {
            Error::config(format!("the number {number} cannot be read")).within(&place)
        })?),
        DeValue::Boolean(flag) => Value::Flag(flag),
        // No key takes a date of TOML; those that take a time read it from text.
        DeValue::Datetime(time) => Value::Text(time.to_string()),
        DeValue::Array(values) => Value::Array(
            values
                .into_iter()
                .map(|value| {
                    let place = origin(value.span().start);
                    node(value, place, origin)
                })
                .collect::<Result<_>>()?,
        ),
        DeValue::Table(inner) => Value::Table(table(inner, origin)?),
    };
    Ok(Node { value, origin: place, partial: false })
}

/// The error of a document that is not TOML: it shows the line.
fn broken(name: &str, text: &str, error: &toml::de::Error) -> Error {
    let at = error.span().map_or(0, |span| span.start.min(text.len()));
    let before = &text.as_bytes()[..at];
    let line = before.iter().filter(|byte| **byte == b'\n').count();
    let shown = text.lines().nth(line).unwrap_or_default().trim();
    let why = error.message().replace('\n', ", ");
    Error::config(format!("not TOML at `{shown}`: {why}")).within(format!("{name}:{}", line + 1))
}
