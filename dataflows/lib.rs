//! The systems that Highwater replaces, as dataflows.

pub mod archive;
pub mod chat;

use highwater::config::ENVIRONMENT;
use highwater::runtime::Dataflow;

/// All dataflows, in the order of systems and names; the first one is the default.
pub const DATAFLOWS: &[Dataflow] = &[Dataflow {
    name: "chat",
    system: "chat",
    about: "chat of live streams: a summary per minute, every ten seconds, and its spikes",
    file: ("chat.toml", include_str!("chat.toml")),
    overlays: &[("chat.kafka.toml", include_str!("chat.kafka.toml"))],
    compat: "[parameters]\n\"zscore.baseline\" = \"inclusive\"\ntop_emotes = \"alphabetical\"\n\
             \"windows.from_config\" = \"off\"\n",
    environment: ENVIRONMENT,
    entry: chat::entry,
}];
