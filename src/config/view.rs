//! `[view.NAME]`: the contract of a view, and what keeps it.

use std::time::Duration;

use super::fields::Fields;
use crate::error::Result;

/// What is configured of a view; each of these keys may stand in `[view."*"]` too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ViewBinding {
    /// `key`: the columns by which a row is replaced, in the order of the table's primary key.
    /// Default: the view's own.
    pub key: Vec<String>,
    /// `engine`: `"hash"` or `"differential"`. Default: `"hash"`.
    pub engine: Engine,
    /// `fill_gaps`: windows without events, between two windows of a key that have some, have rows
    /// too, of the aggregate of nothing; so have other views of the same windows. They come when
    /// the later window closes, none after `forget_after` without events. Not for sessions.
    /// Default: false.
    pub fill_gaps: bool,
    /// `keep`: for how much event time a closed row stays in a view of views, such as a top list;
    /// of views that share the rows, the longest. Default: the window's length.
    pub keep: Option<Duration>,
    /// `forget_after`: a key's trailing windows, and where its gaps begin, are forgotten after so
    /// much event time without a row; of views that share the windows, the longest. Default:
    /// `"24h"`.
    pub forget_after: Option<Duration>,
    /// `keys_max`: groups (keys in the slices of open windows, or keys with a session) that the
    /// windows of the view may hold on each worker; beyond it the job stops reading and ends with
    /// exit code 65. Default: without limit.
    pub keys_max: Option<usize>,
    /// `key_bytes_max`: the longest key of a group; an event with a longer one is a dead letter
    /// `rejected`. Default: `"1KiB"`.
    pub key_bytes_max: usize,
}

/// What keeps a view.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Engine {
    /// Hash tables by window and key, in timely.
    #[default]
    Hash,
    /// Collections of differential dataflow; not for sessions.
    Differential,
}

/// Reads the keys of a view.
pub(super) fn read(mut fields: Fields<'_>) -> Result<ViewBinding> {
    let engines = [("hash", Engine::Hash), ("differential", Engine::Differential)];
    let view = ViewBinding {
        key: fields.texts("key", "[\"stream_id\", \"window_start\"]")?,
        engine: fields.choice("engine", &engines)?.unwrap_or_default(),
        fill_gaps: fields.flag("fill_gaps")?.unwrap_or(false),
        keep: fields.duration("keep", "1h")?,
        forget_after: fields.duration("forget_after", "24h")?,
        keys_max: fields.count_or_off("keys_max", 1_000_000)?,
        key_bytes_max: fields.size("key_bytes_max", "1KiB")?.unwrap_or(1 << 10),
    };
    fields.not_built_if("serve", "the web interface is")?;
    fields.finish()?;
    Ok(view)
}
