//! Takes typed values out of a table by hand, and refuses what nobody asked for.
//!
//! serde cannot do it: `flatten` and `deny_unknown_fields` do not work together, and its errors
//! know neither the path nor the file of a value.

use std::time::Duration;

use super::node::{Node, Origin, Table, Value};
use super::variables::{Failure, Variables};
use super::{did_you_mean, parse_size};
use crate::error::{Error, Result};
use crate::time::parse_duration;

/// What values are read with.
#[derive(Clone, Copy)]
pub(super) struct Context<'a> {
    /// The environment.
    pub(super) variables: &'a Variables,
    /// Values that refer to an unset variable count as absent: the table is only looked at.
    pub(super) is_lenient: bool,
    /// What the texts of a binding call by name: `{view}` and such.
    pub(super) names: &'a [(&'static str, &'a str)],
}

/// The values of a table that have not been asked for yet.
pub(super) struct Fields<'a> {
    table: Table,
    path: String,
    origin: Origin,
    context: Context<'a>,
    asked: Vec<&'a str>,
}

impl<'a> Fields<'a> {
    /// The values of a table; `path` is empty for a whole file.
    pub(super) fn new(table: Table, path: &str, origin: Origin, context: Context<'a>) -> Self {
        Fields { table, path: path.to_owned(), origin, context, asked: vec![] }
    }

    /// The same, with names put into its texts.
    pub(super) fn with_names(mut self, names: &'a [(&'static str, &'a str)]) -> Self {
        self.context.names = names;
        self
    }

    /// Where the table was written, and its path.
    pub(super) fn place(&self) -> String {
        place(&self.origin, &self.path)
    }

    /// The value of a key as it was written.
    pub(super) fn node(&mut self, key: &'a str) -> Option<Node> {
        self.asked.push(key);
        self.table.remove(key)
    }

    /// Whether a key is there.
    pub(super) fn has(&self, key: &str) -> bool {
        self.table.contains_key(key)
    }

    /// A table inside; an absent one has no keys.
    pub(super) fn table(&mut self, key: &'a str) -> Result<Fields<'a>> {
        let path = join(&self.path, key);
        match self.node(key) {
            None => Ok(Fields::new(Table::new(), &path, self.origin.clone(), self.context)),
            Some(Node { value: Value::Table(table), origin, .. }) => {
                Ok(Fields::new(table, &path, origin, self.context))
            }
            Some(node) => Err(self.wrong(key, &node, &format!("a table such as [{path}]"))),
        }
    }

    /// Text, with the environment put in.
    pub(super) fn text(&mut self, key: &'a str, example: &str) -> Result<Option<String>> {
        let Some(node) = self.node(key) else { return Ok(None) };
        match &node.value {
            Value::Text(text) => self.expand(key, &node, text),
            _ => Err(self.wrong(key, &node, &format!("text such as {example:?}"))),
        }
    }

    /// An array of text.
    pub(super) fn texts(&mut self, key: &'a str, example: &str) -> Result<Vec<String>> {
        let Some(node) = self.node(key) else { return Ok(vec![]) };
        let wrong = |fields: &Self, node: &Node| {
            fields.wrong(key, node, &format!("an array of text such as {example}"))
        };
        let Value::Array(elements) = &node.value else { return Err(wrong(self, &node)) };
        let mut texts = vec![];
        for element in elements {
            let Value::Text(text) = &element.value else { return Err(wrong(self, element)) };
            texts.extend(self.expand(key, element, text)?);
        }
        Ok(texts)
    }

    /// A duration, text with a unit.
    pub(super) fn duration(&mut self, key: &'a str, example: &str) -> Result<Option<Duration>> {
        self.parsed(key, example, parse_duration)
    }

    /// A duration that is not zero.
    pub(super) fn interval(&mut self, key: &'a str, example: &str) -> Result<Option<Duration>> {
        self.parsed(key, example, |text| match parse_duration(text)? {
            Duration::ZERO => Err(format!("must be longer than `{text}`")),
            interval => Ok(interval),
        })
    }

    /// A size in bytes, text with a unit.
    pub(super) fn size(&mut self, key: &'a str, example: &str) -> Result<Option<usize>> {
        self.parsed(key, example, parse_size)
    }

    /// A duration that may be turned off: the inner `None` is `"off"`.
    pub(super) fn duration_or_off(
        &mut self,
        key: &'a str,
        example: &str,
    ) -> Result<Option<Option<Duration>>> {
        self.parsed(key, example, |text| match text {
            "off" => Ok(None),
            _ => parse_duration(text).map(Some),
        })
    }

    /// Text that a function understands, or says why not.
    pub(super) fn parsed<T>(
        &mut self,
        key: &'a str,
        example: &str,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Result<Option<T>> {
        let Some(node) = self.node(key) else { return Ok(None) };
        let Value::Text(text) = &node.value else {
            return Err(self.wrong(key, &node, &format!("text such as {example:?}")));
        };
        let Some(text) = self.expand(key, &node, text)? else { return Ok(None) };
        parse(&text).map(Some).map_err(|why| {
            Error::config(format!("`{key}`: {why}")).within(place(&node.origin, &self.path))
        })
    }

    /// A whole number of at least 1; text from the environment may hold it too.
    pub(super) fn count(&mut self, key: &'a str, example: usize) -> Result<Option<usize>> {
        let Some(node) = self.node(key) else { return Ok(None) };
        let number = match &node.value {
            Value::Integer(number) => usize::try_from(*number).ok(),
            Value::Text(text) => match self.expand(key, &node, text)? {
                Some(text) => text.trim().parse().ok(),
                None => return Ok(None),
            },
            _ => None,
        };
        match number {
            Some(number) if 1 <= number => Ok(Some(number)),
            _ => Err(self.wrong(
                key,
                &node,
                &format!("a whole number, 1 or more, such as {example}"),
            )),
        }
    }

    /// A whole number of at least 1, or `"off"`.
    pub(super) fn count_or_off(&mut self, key: &'a str, example: usize) -> Result<Option<usize>> {
        if self.is_off(key) { Ok(None) } else { self.count(key, example) }
    }

    /// Whether the value is `"off"`; takes it then.
    pub(super) fn is_off(&mut self, key: &'a str) -> bool {
        let is_off = match self.table.get(key) {
            Some(Node { value: Value::Text(text), .. }) => {
                self.context.variables.expand(text).is_ok_and(|text| text == "off")
            }
            _ => false,
        };
        if is_off {
            self.node(key);
        }
        is_off
    }

    /// `true` or `false`; text from the environment may hold it too.
    pub(super) fn flag(&mut self, key: &'a str) -> Result<Option<bool>> {
        let Some(node) = self.node(key) else { return Ok(None) };
        let flag = match &node.value {
            Value::Flag(flag) => Some(*flag),
            Value::Text(text) => match self.expand(key, &node, text)? {
                Some(text) => text.trim().parse().ok(),
                None => return Ok(None),
            },
            _ => None,
        };
        flag.map(Some).ok_or_else(|| self.wrong(key, &node, "true or false"))
    }

    /// One of some words.
    pub(super) fn choice<T: Copy>(
        &mut self,
        key: &'a str,
        choices: &[(&str, T)],
    ) -> Result<Option<T>> {
        let words: Vec<String> = choices.iter().map(|(word, _)| format!("{word:?}")).collect();
        let form = words.join(" or ");
        let Some(node) = self.node(key) else { return Ok(None) };
        let Value::Text(text) = &node.value else { return Err(self.wrong(key, &node, &form)) };
        let Some(text) = self.expand(key, &node, text)? else { return Ok(None) };
        match choices.iter().find(|(word, _)| *word == text) {
            Some((_, choice)) => Ok(Some(*choice)),
            None => Err(self.refusal(key, &node, format!("must be {form}, not {text:?}"))),
        }
    }

    /// A value of free form as TOML, with environment and names put in.
    pub(super) fn free(&self, key: &str, node: &Node) -> Result<toml::Table> {
        match self.plain(key, &node.value, node)? {
            Some(toml::Value::Table(table)) => Ok(table),
            _ => Err(self.wrong(key, node, "a table")),
        }
    }

    /// Refuses a key that promises something which is not there yet.
    pub(super) fn not_built(&mut self, key: &'a str, what: &str) -> Result<()> {
        self.node(key).map_or(Ok(()), |node| Err(self.too_early(key, &node, what)))
    }

    /// As [`Fields::not_built`], of a key that may say false.
    pub(super) fn not_built_if(&mut self, key: &'a str, what: &str) -> Result<()> {
        let node = self.table.get(key).cloned();
        match (self.flag(key)?, node) {
            (Some(true), Some(node)) => Err(self.too_early(key, &node, what)),
            _ => Ok(()),
        }
    }

    fn too_early(&self, key: &str, node: &Node, what: &str) -> Error {
        let why = format!("cannot be used: {what} not built yet");
        self.refusal(key, node, why).hint("leave it out")
    }

    /// Path of a key of the table.
    pub(super) fn path_of(&self, key: &str) -> String {
        join(&self.path, key)
    }

    /// Where the value of a key was written, and its path.
    pub(super) fn place_of(&self, key: &str, node: &Node) -> String {
        place(&node.origin, &join(&self.path, key))
    }

    /// Refuses what nobody asked for.
    pub(super) fn finish(self) -> Result<()> {
        let Some((key, node)) = self.table.iter().next() else { return Ok(()) };
        Err(Error::config(format!("unknown key `{key}`"))
            .hint(did_you_mean(key, &self.asked))
            .within(place(&node.origin, &self.path)))
    }

    /// An error about the value of a key.
    pub(super) fn refusal(&self, key: &str, node: &Node, why: String) -> Error {
        Error::config(format!("`{key}` {why}")).within(place(&node.origin, &self.path))
    }

    fn wrong(&self, key: &str, node: &Node, form: &str) -> Error {
        self.refusal(key, node, format!("must be {form}, not {}", node.value.shown()))
    }

    fn expand(&self, key: &str, node: &Node, text: &str) -> Result<Option<String>> {
        match self.context.variables.expand(text) {
            Ok(mut expanded) => {
                for (placeholder, name) in self.context.names {
                    expanded = expanded.replace(placeholder, name);
                }
                Ok(Some(expanded))
            }
            Err(Failure::Unset(_)) if self.context.is_lenient => Ok(None),
            Err(Failure::Unset(name)) => Err(self
                .refusal(key, node, format!("needs the environment variable {name}, it is not set"))
                .hint(format!("set it, or give it a default: ${{{name}:-…}}"))),
            Err(Failure::Malformed(why)) => {
                Err(self.refusal(key, node, format!("is wrong: {why}")))
            }
        }
    }

    /// A value as TOML; none if it refers to an unset variable and that is no harm.
    fn plain(&self, key: &str, value: &Value, node: &Node) -> Result<Option<toml::Value>> {
        Ok(Some(match value {
            Value::Text(text) => {
                let Some(text) = self.expand(key, node, text)? else { return Ok(None) };
                toml::Value::String(text)
            }
            Value::Integer(number) => toml::Value::Integer(*number),
            Value::Float(number) => toml::Value::Float(*number),
            Value::Flag(flag) => toml::Value::Boolean(*flag),
            Value::Array(elements) => {
                let mut plain = vec![];
                for element in elements {
                    plain.extend(self.plain(key, &element.value, element)?);
                }
                toml::Value::Array(plain)
            }
            Value::Table(table) => {
                let mut plain = toml::Table::new();
                for (inner, node) in table {
                    let path = join(key, inner);
                    if let Some(value) = self.plain(&path, &node.value, node)? {
                        plain.insert(inner.clone(), value);
                    }
                }
                toml::Value::Table(plain)
            }
        }))
    }
}

/// A path with one more key, quoted where TOML asks for it.
pub(super) fn join(path: &str, key: &str) -> String {
    let is_bare = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    let key = match !key.is_empty() && key.chars().all(is_bare) {
        true => key.to_owned(),
        false => format!("{key:?}"),
    };
    match path {
        "" => key,
        _ => format!("{path}.{key}"),
    }
}

fn place(origin: &str, path: &str) -> String {
    match path {
        "" => origin.to_owned(),
        _ => format!("{origin}: {path}"),
    }
}
