//! Configuration: job files, laid over each other, with `--set` and the environment.
//!
//! ```text
//! embedded files ─► -c FILE … ─► --set PATH=VALUE …      layers; later ones win
//!                                 │
//!        $NAME, ${NAME:-default} ─┤  put in last, so a value that was replaced does no harm
//!                                 ▼
//!         Config { connect, flow, … }, source(name), sinks(view), view(name)
//! ```
//!
//! A dataflow names its ports, a job file binds them. Every field of [`Config`], [`SourceBinding`],
//! [`SinkBinding`] and [`ViewBinding`] says which key it is: they are the manual. All keys and
//! values are looked at when a configuration is loaded, also those of ports that a run does not
//! use; only a variable that is not set is an error no earlier than its port is asked for.
//!
//! Merge rules: tables are laid over each other key by key; a binding (the table of a connector)
//! and an array replace the older one whole, except by a `--set` whose path goes on inside the
//! binding; `"*"` speaks for all names (`section.rs`) but `alerts`, a view that is bound by name.

mod engine;
mod environment;
mod fields;
mod http;
mod node;
mod options;
mod parameters;
mod section;
mod sink;
mod size;
mod source;
#[cfg(test)]
mod tests;
mod variables;
mod view;

use std::collections::BTreeMap;
use std::path::PathBuf;

pub use engine::{Checkpoint, Cluster, Connect, Flow, Tls};
pub use environment::{ENVIRONMENT, EnvironmentName};
pub use http::{Http, Listen};
pub use options::{duration, options, size};
pub use parameters::{Ignored, Parameters};
pub use sink::SinkBinding;
pub use size::parse_size;
pub use source::{
    DataLoss, Dedup, EventTimeFallback, FutureSkew, Rule, SourceBinding, WatermarkScope,
};
pub use view::{Engine, ViewBinding};

use crate::alert;
use crate::error::{Error, Result, nearest};
use fields::{Context, Fields, join};
use node::{Node, Origin, Table, Value, merge, merge_binding, parse_file, parse_set};
use section::{Port, Section};
use variables::Variables;

/// What a job runs with.
#[derive(Clone, Debug)]
pub struct Config {
    /// `dataflow`: which dataflow is run.
    pub dataflow: String,
    /// `[parameters]`: the arguments of the dataflow; [`Config::parameters`] reads them.
    pub parameters: toml::Table,
    /// `[connect]`.
    pub connect: Connect,
    /// `[flow]`.
    pub flow: Flow,
    /// `[checkpoint]`.
    pub checkpoint: Checkpoint,
    /// `[cluster]`.
    pub cluster: Cluster,
    /// `[http]`.
    pub http: Http,
    /// `[dead_letters]`: where records go that no view may use; a binding like a sink's. Without
    /// one the first five per source and reason are shown, then counted. [`Config::letters_of`]
    /// puts the name of a job for `{job}` in its texts.
    pub dead_letters: Option<SinkBinding>,
    parameter_places: BTreeMap<String, String>,
    layers: Vec<Layer>,
    kinds: Kinds,
    variables: Variables,
}

/// Names of the connectors that can be bound.
#[derive(Clone, Copy, Debug)]
pub struct Kinds {
    /// Of sources.
    pub sources: &'static [&'static str],
    /// Of sinks.
    pub sinks: &'static [&'static str],
}

/// What `--compat` lays over the embedded files: every source decodes as Spark does.
pub const COMPAT: &str = r#"
[source."*"]
json = { errors = "null_row", nan = "nan" }
time_formats = "spark"
dialect = "strict"
lateness_rule = "window"
watermark_scope = "partition"
idle_timeout = "off"
future_skew = "off"
dedup = "off"
"#;

/// One file or `--set`.
#[derive(Clone, Debug)]
struct Layer {
    sources: Section,
    sinks: Section,
    views: Section,
    /// All else.
    rest: Table,
}

impl Config {
    /// Lays files over each other: `base` (name and text, the embedded ones), `files`, then `sets`
    /// (`PATH=VALUE`), and puts in what `env` says of the variables.
    ///
    /// # Errors
    ///
    /// A file cannot be read or is no TOML, a key is unknown, a value has the wrong form; with the
    /// file and line or the `--set`.
    ///
    /// ```
    /// use highwater::config::{Config, Kinds};
    /// let chat = "dataflow = 'chat'\n[source.chat]\nmemory = { rate = 5 }\nlateness = '$DELAY'";
    /// let config = Config::load(
    ///     Kinds { sources: &["memory"], sinks: &[] },
    ///     &[("chat.toml", chat)],
    ///     &[],
    ///     &["source.chat.memory.rate=7".into()],
    ///     &|name| (name == "DELAY").then(|| "10s".into()),
    /// )?;
    /// let source = config.source("chat")?;
    /// assert_eq!(source.options["rate"].as_integer(), Some(7));
    /// assert_eq!(source.lateness, Some(highwater::time::seconds(10)));
    /// # Ok::<(), highwater::error::Error>(())
    /// ```
    pub fn load(
        kinds: Kinds,
        base: &[(&str, &str)],
        files: &[PathBuf],
        sets: &[String],
        env: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Config> {
        let mut tables = vec![];
        for (name, text) in base {
            tables.push(parse_file(name, text)?);
        }
        for file in files {
            let name = file.display().to_string();
            let text = std::fs::read_to_string(file).map_err(|error| {
                Error::config(format!("cannot be read: {error}"))
                    .hint("is the path right from here? `highwater list jobs` names embedded files")
                    .within(&name)
            })?;
            tables.push(parse_file(&name, &text)?);
        }
        for set in sets {
            tables.push(parse_set(set)?);
        }
        let mut variables = Variables::default();
        for node in tables.iter().flat_map(|table| table.values()) {
            node.texts(&mut |text| variables.look_up(text, env));
        }
        let layers = tables.into_iter().map(Layer::new).collect::<Result<Vec<_>>>()?;
        let config = Config::read(layers, kinds, variables)?;
        config.look_at_ports()?;
        Ok(config)
    }

    /// The arguments of the dataflow, each with the place where it was written.
    pub fn parameters(&self) -> Parameters {
        Parameters::with_places(&self.parameters, self.parameter_places.clone())
    }

    /// The binding of a source.
    ///
    /// # Errors
    ///
    /// There is none, or it refers to a variable that is not set.
    pub fn source(&self, name: &str) -> Result<SourceBinding> {
        self.read_source(name, false)?.ok_or_else(|| self.unbound(Port::Source, name))
    }

    /// The binding of the dead letters of a job, whose name stands for `{job}` in its texts.
    pub fn letters_of(&self, job: &str) -> Option<SinkBinding> {
        self.dead_letters.as_ref().map(|binding| binding.of_job(job))
    }

    /// The bindings of the sinks of a view, in the order of the file; at least one.
    ///
    /// # Errors
    ///
    /// As [`Config::source`].
    pub fn sinks(&self, view: &str) -> Result<Vec<SinkBinding>> {
        let sinks = self.read_sinks(view, false)?;
        let bound: Option<Vec<SinkBinding>> = sinks.into_iter().collect();
        bound.filter(|sinks| !sinks.is_empty()).ok_or_else(|| self.unbound(Port::Sink, view))
    }

    /// The same, with the name of a job for `{job}` in their texts.
    ///
    /// # Errors
    ///
    /// As [`Config::source`].
    pub fn sinks_of(&self, job: &str, view: &str) -> Result<Vec<SinkBinding>> {
        Ok(self.sinks(view)?.iter().map(|binding| binding.of_job(job)).collect())
    }

    /// Whether anything is bound to a view.
    ///
    /// # Errors
    ///
    /// It refers to a variable that is not set.
    pub fn is_bound(&self, view: &str) -> Result<bool> {
        let sinks = self.read_sinks(view, false)?;
        Ok(!sinks.is_empty() && sinks.iter().all(Option::is_some))
    }

    /// What is configured of a view.
    ///
    /// # Errors
    ///
    /// It refers to a variable that is not set.
    pub fn view(&self, name: &str) -> Result<ViewBinding> {
        self.read_view(name, false)
    }

    /// Refuses sources, sinks and views that the dataflow does not have.
    ///
    /// # Errors
    ///
    /// The first such name, with the nearest names.
    pub fn check_names(&self, sources: &[String], views: &[String]) -> Result<()> {
        let known = [(Port::Source, sources), (Port::Sink, views), (Port::View, views)];
        for (port, names) in known {
            let near: Vec<&str> = names.iter().map(String::as_str).collect();
            let named = self.sections(port).flat_map(|section| &section.named);
            for (name, node) in named {
                if !names.contains(name) {
                    let noun = if port == Port::Source { "source" } else { "view" };
                    let message =
                        format!("the dataflow `{}` has no {noun} `{name}`", self.dataflow);
                    return Err(Error::config(message)
                        .hint(did_you_mean(name, &near))
                        .within(join(port.key(), name))
                        .within(&node.origin));
                }
            }
        }
        Ok(())
    }

    fn read(layers: Vec<Layer>, kinds: Kinds, variables: Variables) -> Result<Config> {
        let rest = lay_rest(&layers, kinds);
        let context = Context { variables: &variables, is_lenient: false, names: &[] };
        let mut fields = Fields::new(rest, "", Origin::from("the configuration"), context);
        let dataflow = fields.text("dataflow", "chat")?.ok_or_else(|| {
            Error::config("no file says which dataflow to run").hint("write dataflow = \"chat\"")
        })?;
        let parameters = fields.node("parameters");
        let (parameters, parameter_places) = match &parameters {
            Some(node) => (fields.free("parameters", node)?, places(node)),
            None => Default::default(),
        };
        let config = Config {
            parameters,
            parameter_places,
            connect: Connect::read(fields.table("connect")?)?,
            flow: Flow::read(fields.table("flow")?)?,
            checkpoint: Checkpoint::read(fields.table("checkpoint")?)?,
            cluster: Cluster::read(fields.table("cluster")?)?,
            http: Http::read(fields.table("http")?)?,
            dead_letters: {
                let names = [("{system}", dataflow.as_str())];
                let fields = fields.table("dead_letters")?.with_names(&names);
                sink::read(fields, kinds.sinks, 10_000)?
            },
            dataflow: dataflow.clone(),
            layers,
            kinds,
            variables: variables.clone(),
        };
        fields.not_built("metrics", "metrics are")?;
        for port in [Port::Source, Port::Sink, Port::View] {
            fields.node(port.key());
        }
        fields.finish()?;
        Ok(config)
    }

    /// Reads every port once, so that each mistake in a file is found at the start.
    fn look_at_ports(&self) -> Result<()> {
        for name in self.names(Port::Source) {
            self.read_source(name, true)?;
        }
        for name in self.names(Port::Sink) {
            self.read_sinks(name, true)?;
        }
        for name in self.names(Port::View) {
            self.read_view(name, true)?;
        }
        Ok(())
    }

    fn read_source(&self, name: &str, is_lenient: bool) -> Result<Option<SourceBinding>> {
        let names = [("{source}", name), ("{system}", self.dataflow.as_str())];
        let mut tables = self.tables(Port::Source, name, is_lenient, &names);
        tables.pop().map_or(Ok(None), |fields| source::read(fields, self.kinds.sources))
    }

    fn read_sinks(&self, view: &str, is_lenient: bool) -> Result<Vec<Option<SinkBinding>>> {
        let names = [("{view}", view), ("{system}", self.dataflow.as_str())];
        let tables = self.tables(Port::Sink, view, is_lenient, &names);
        tables.into_iter().map(|fields| sink::read(fields, self.kinds.sinks, 100_000)).collect()
    }

    fn read_view(&self, name: &str, is_lenient: bool) -> Result<ViewBinding> {
        let names = [("{view}", name), ("{system}", self.dataflow.as_str())];
        let mut tables = self.tables(Port::View, name, is_lenient, &names);
        let empty = || {
            let context = Context { variables: &self.variables, is_lenient, names: &[] };
            Fields::new(Table::new(), "", Origin::from("the defaults"), context)
        };
        view::read(tables.pop().unwrap_or_else(empty))
    }

    /// The tables of a port, ready to be read.
    fn tables<'a>(
        &'a self,
        port: Port,
        name: &str,
        is_lenient: bool,
        names: &'a [(&'static str, &'a str)],
    ) -> Vec<Fields<'a>> {
        let context = Context { variables: &self.variables, is_lenient, names };
        // Alerts of all jobs of a system have one name, so they go only where it is named.
        let by_name = port == Port::Sink && name == alert::VIEW;
        section::resolve(self.sections(port), name, port.kinds(self.kinds), !by_name)
            .into_iter()
            .map(|(table, origin)| Fields::new(table, &join(port.key(), name), origin, context))
            .collect()
    }

    fn sections(&self, port: Port) -> impl Iterator<Item = &Section> {
        self.layers.iter().map(move |layer| match port {
            Port::Source => &layer.sources,
            Port::Sink => &layer.sinks,
            Port::View => &layer.views,
        })
    }

    /// Names in the files; `*` if there is only that.
    fn names(&self, port: Port) -> Vec<&str> {
        let mut names: Vec<&str> = section::names(self.sections(port)).into_iter().collect();
        if names.is_empty() && self.sections(port).any(|section| section.all.is_some()) {
            names.push("*");
        }
        names
    }

    fn unbound(&self, port: Port, name: &str) -> Error {
        let (key, kinds) = (port.key(), port.kinds(self.kinds));
        let names = section::names(self.sections(port));
        let names: Vec<&str> = names.into_iter().filter(|bound| *bound != name).collect();
        let bound = match names.as_slice() {
            [] => String::new(),
            names => format!("; the files name {}", listed(names)),
        };
        let place = join(key, name);
        Error::config(format!("no binding for the {key} `{name}`"))
            .hint(format!("write [{place}] with a table of one of {}{bound}", listed(kinds)))
    }
}

impl Layer {
    fn new(mut table: Table) -> Result<Layer> {
        Ok(Layer {
            sources: Section::take(&mut table, Port::Source)?,
            sinks: Section::take(&mut table, Port::Sink)?,
            views: Section::take(&mut table, Port::View)?,
            rest: table,
        })
    }
}

/// All that does not belong to a port, laid over each other.
fn lay_rest(layers: &[Layer], kinds: Kinds) -> Table {
    let mut rest = Table::new();
    for layer in layers {
        let mut over = layer.rest.clone();
        let letters = over.remove("dead_letters");
        merge(&mut rest, &over);
        let Some(letters) = letters else { continue };
        match (rest.get_mut("dead_letters"), &letters.value) {
            (Some(Node { value: Value::Table(old), .. }), Value::Table(new)) => {
                merge_binding(old, new, kinds.sinks);
            }
            _ => {
                rest.insert("dead_letters".into(), letters);
            }
        }
    }
    rest
}

/// Where each argument was written, by its path without quotes.
fn places(parameters: &Node) -> BTreeMap<String, String> {
    fn collect(path: &str, node: &Node, places: &mut BTreeMap<String, String>) {
        match &node.value {
            Value::Table(table) => table.iter().for_each(|(key, node)| {
                let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                collect(&path, node, places);
            }),
            _ => {
                places.insert(path.to_owned(), node.origin.to_string());
            }
        }
    }
    let mut places = BTreeMap::new();
    collect("", parameters, &mut places);
    places
}

/// The hint at an unknown name: the nearest ones, or all.
fn did_you_mean(name: &str, known: &[&str]) -> String {
    match nearest(name, known.iter().copied()).as_slice() {
        [] => format!("known here are {}", listed(known)),
        near => format!("did you mean {}?", listed(near)),
    }
}

fn listed(names: &[&str]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}
