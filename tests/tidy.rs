//! The invariants of the code base that can be seen by reading it (`ARCHITECTURE.md` lists them).
//!
//! Each test collects every place that breaks its rule, so that one run shows all of them.

mod figures;
mod guarantees;
mod paper;
mod source;
mod tree;

use std::fmt::Display;
use std::sync::LazyLock;

use source::{Named, Source};
use tree::{Tree, is_below, text};

static TREE: LazyLock<Tree> = LazyLock::new(Tree::read);

const FILE_LINES_MAX: usize = 600;
const DATAFLOW_LINES_MAX: usize = 150;
const FUNCTION_LINES_MAX: usize = 70;
const COLUMNS_MAX: usize = 100;

/// Where timely and differential may be named.
const TIMELY: [&str; 6] = [
    "src/operators/",
    "src/stream/",
    "src/runtime/",
    "src/observe/",
    "src/testing/",
    "src/source/reader.rs",
];

/// Where capabilities may be held.
const CAPABILITIES: [&str; 7] = [
    "src/operators/shell.rs",
    "src/operators/sink.rs",
    "src/operators/differential.rs",
    "src/operators/views.rs",
    "src/operators/views/forget.rs",
    "src/operators/watch.rs",
    "src/source/reader.rs",
];

/// Rooms without clock, file, socket, thread, timely.
const PURE: [&str; 17] = [
    "src/aggregate/",
    "src/alert.rs",
    "src/alert/",
    "src/codec/",
    "src/codec.rs",
    "src/hash.rs",
    "src/key.rs",
    "src/keyed/",
    "src/lateness.rs",
    "src/letter.rs",
    "src/observe/why.rs",
    "src/row.rs",
    "src/row/",
    "src/stats.rs",
    "src/text.rs",
    "src/time.rs",
    "src/window.rs",
];

/// What a pure room may not name.
const IMPURE: [&str; 13] = [
    "std::fs",
    "std::net",
    "std::thread",
    "std::process",
    "std::env",
    "std::io",
    "std::time::Instant",
    "std::time::SystemTime",
    "timely",
    "differential_dataflow",
    "tokio",
    "tracing",
    "signal_hook",
];

/// Each client crate, and the rooms that may name it.
const CLIENTS: [(&str, &[&str]); 10] = [
    ("hyper", &["src/control/server.rs", "src/control/client.rs"]),
    ("hyper_util", &["src/control/server.rs", "src/control/client.rs"]),
    ("http_body_util", &["src/control/server.rs", "src/control/client.rs"]),
    ("object_store", &["src/objects/", "src/checkpoint/bucket/", "src/sink/parquet/tests/"]),
    ("parquet", &["src/sink/parquet.rs", "src/sink/parquet/", "bench/harness/limits/writers/"]),
    ("rdkafka", &["src/source/kafka/", "src/sink/kafka.rs", "src/sink/kafka/"]),
    ("rdkafka_sys", &["src/source/kafka/"]),
    ("rustls", &["src/runtime/cluster/tls/"]),
    ("tokio_postgres", &["src/sink/postgres.rs", "src/sink/postgres/"]),
    (
        "tokio",
        &[
            "src/control/client.rs",
            "src/control/server.rs",
            "src/objects/",
            "src/sink/parquet/tests/",
            "src/sink/postgres.rs",
            "src/sink/postgres/",
        ],
    ),
];

/// Hash tables whose order, or whose hash, nobody has promised.
const SEEDED: [&str; 7] = [
    "std::collections::HashMap",
    "std::collections::HashSet",
    "std::collections::hash_map",
    "std::hash::DefaultHasher",
    "std::hash::RandomState",
    "hashbrown::DefaultHashBuilder",
    "ahash",
];

/// The only files that may be unsafe.
const UNSAFE: [&str; 2] = ["src/source/kafka/queue.rs", "src/replay/abomonation.rs"];

/// The only files of the engine that may write to stdout: the sink for rows, and commands whose
/// answer is a text.
const STDOUT: [&str; 8] = [
    "src/sink/console.rs",
    "src/sink/console/",
    "src/cli/check.rs",
    "src/cli/generate/target.rs",
    "src/cli/inspect.rs",
    "src/cli/letters.rs",
    "src/cli/list.rs",
    "src/cli/txn/",
];

/// Fails with all places that break a rule.
fn none(rule: &str, broken: Vec<String>) {
    assert!(broken.is_empty(), "{rule}; {} do not:\n  {}", broken.len(), broken.join("\n  "));
}

fn at(source: &Source, line: usize, what: impl Display) -> String {
    format!("{}:{line}: {what}", source.path)
}

/// Places where the product names one of these.
fn naming(source: &Source, forbidden: &[&str]) -> Vec<String> {
    let paths = source.product_paths().into_iter();
    let found = paths.filter(|named| forbidden.iter().any(|place| named.is_in(place)));
    found.map(|named| at(source, named.line, named.path)).collect()
}

/// The files that hold dataflows: all that the library of `dataflows` compiles but its list.
fn dataflows() -> impl Iterator<Item = &'static Source> {
    const LIST: &str = "dataflows/lib.rs";
    TREE.sources.iter().filter(|source| {
        let module = TREE.modules.get(&source.path);
        source.path != LIST && module.is_some_and(|module| module.root == LIST && !module.test)
    })
}

/// What is compiled into the engine, the dataflows and the data sets, without tests.
fn products() -> impl Iterator<Item = &'static Source> {
    TREE.below(&["src/", "dataflows/", "datasets/"]).filter(|source| !TREE.is_test(source))
}

#[test]
fn files_functions_and_lines_are_short() {
    let mut broken = Vec::new();
    for source in &TREE.sources {
        let lines = source.text.lines().count();
        if FILE_LINES_MAX < lines {
            broken.push(at(source, lines, format!("more than {FILE_LINES_MAX} lines")));
        }
        for (line, text) in (1..).zip(source.text.lines()) {
            if COLUMNS_MAX < text.chars().count() {
                broken.push(at(source, line, format!("more than {COLUMNS_MAX} columns")));
            }
        }
        for (name, line, lines) in source.functions() {
            if FUNCTION_LINES_MAX < lines {
                broken.push(at(source, line, format!("`{name}` has {lines} lines")));
            }
        }
    }
    for source in dataflows() {
        let lines = source.text.lines().count();
        if DATAFLOW_LINES_MAX < lines {
            broken.push(at(source, lines, "a dataflow has at most 150 lines"));
        }
    }
    none("files, functions and lines are short", broken);
}

#[test]
fn each_file_opens_with_what_it_is() {
    let silent = TREE.sources.iter().filter(|source| !source.text.starts_with("//! "));
    none("files open with `//!`", silent.map(|source| source.path.clone()).collect());
}

#[test]
fn timely_stays_in_its_rooms() {
    let mut broken = Vec::new();
    for source in TREE.below(&["src/", "dataflows/", "datasets/"]) {
        if !is_below(&source.path, &TIMELY) {
            let named = source.paths().into_iter();
            let timely = |named: &Named| {
                named.is_in("timely")
                    || named.path.starts_with("timely_")
                    || named.is_in("differential_dataflow")
            };
            broken.extend(named.filter(timely).map(|named| at(source, named.line, named.path)));
        }
    }
    none("only some rooms name timely and differential", broken);
}

#[test]
fn capabilities_are_held_where_they_may_be() {
    let mut broken = Vec::new();
    for source in TREE.below(&["src/"]).filter(|source| !is_below(&source.path, &CAPABILITIES)) {
        for word in ["Capability", "CapabilitySet", "CapabilityRef", "InputCapability"] {
            broken.extend(source.lines_with(word).into_iter().map(|line| at(source, line, word)));
        }
    }
    none("capabilities are held in few files", broken);
}

#[test]
fn pure_rooms_name_no_clock_file_socket_thread_or_timely() {
    let mut broken = Vec::new();
    for source in TREE.below(&PURE).filter(|source| !TREE.is_test(source)) {
        broken.extend(naming(source, &IMPURE));
    }
    none("pure rooms name nothing of the world", broken);
}

#[test]
fn a_client_is_named_by_its_connector_alone() {
    let mut broken = Vec::new();
    for (client, rooms) in CLIENTS {
        for source in TREE.below(&["src/", "dataflows/", "datasets/"]) {
            if !is_below(&source.path, rooms) {
                broken.extend(naming(source, &[client]));
            }
        }
    }
    none("client crates stay in their connectors", broken);
}

#[test]
fn a_dataflow_imports_the_prelude_its_data_and_its_own() {
    let mut broken = Vec::new();
    for source in dataflows() {
        let own = source.path.trim_start_matches("dataflows/").trim_end_matches(".rs");
        let own = format!("crate::{}", own.split('/').next().unwrap_or(own));
        let mine = source.modules();
        let mine = mine.iter().map(|(name, _)| name.as_str());
        let ordered = "std::collections::BTreeMap";
        let data = "highwater_datasets";
        let known = ["highwater::prelude", data, ordered, "super", "self", &own];
        let known: Vec<&str> = known.into_iter().chain(mine).collect();
        for named in source.product_paths() {
            if named.import && !known.iter().any(|place| named.is_in(place)) {
                broken.push(at(source, named.line, named.path));
            } else if !named.import {
                let world = |place: &&str| named.is_in(place);
                let clock = named.path.contains("Instant") || named.path.contains("SystemTime");
                if clock || IMPURE.iter().any(world) {
                    broken.push(at(source, named.line, named.path));
                }
            }
        }
    }
    none("dataflows import little", broken);
}

#[test]
fn no_hash_depends_on_chance() {
    let broken = products().flat_map(|source| {
        let words = ["DefaultHasher", "RandomState"].into_iter();
        let words = words.flat_map(|word| paths_with(source, word));
        naming(source, &SEEDED).into_iter().chain(words)
    });
    none("hashes are fixed ones", broken.collect());
}

fn paths_with(source: &Source, word: &str) -> Vec<String> {
    let paths = source.product_paths().into_iter();
    let found = paths.filter(|named| named.path.split("::").any(|segment| segment == word));
    found.map(|named| at(source, named.line, named.path)).collect()
}

#[test]
fn nothing_is_unwrapped_outside_tests_and_no_test_is_ignored() {
    // Spelled in halves, as this file is read too.
    let (unwrap, ignore) = (concat!(".unw", "rap()"), concat!("#[ign", "ore"));
    let mut broken = Vec::new();
    for source in &TREE.sources {
        let lines = (1..).zip(source.product.lines());
        let unwraps = lines.filter(|(_, text)| !TREE.is_test(source) && text.contains(unwrap));
        broken.extend(unwraps.map(|(line, _)| at(source, line, unwrap)));
        let ignored = (1..).zip(source.code.lines()).filter(|(_, text)| text.contains(ignore));
        broken.extend(ignored.map(|(line, _)| at(source, line, ignore)));
    }
    none("the product says what it expects, and tests run", broken);
}

#[test]
fn every_file_is_compiled() {
    let unlisted = TREE.sources.iter().filter(|source| !TREE.modules.contains_key(&source.path));
    none("files belong to a crate", unlisted.map(|source| source.path.clone()).collect());
}

#[test]
fn unsafe_code_is_where_it_may_be_and_says_why_it_is_sound() {
    let mut broken = Vec::new();
    for source in &TREE.sources {
        let lines: Vec<&str> = source.text.lines().collect();
        for line in source.lines_with("unsafe") {
            if !is_below(&source.path, &UNSAFE) {
                broken.push(at(source, line, "unsafe"));
            }
            let code = source.code.lines().nth(line - 1).unwrap_or_default();
            let argues = lines[line.saturating_sub(6)..line].iter().any(|l| l.contains("SAFETY:"));
            if !code.contains("unsafe extern") && !code.contains("unsafe fn") && !argues {
                broken.push(at(source, line, "no `SAFETY:` above it"));
            }
        }
        if !is_below(&source.path, &UNSAFE) {
            let allowed = source.lines_with("unsafe_code").into_iter();
            broken.extend(allowed.map(|line| at(source, line, "allows unsafe code")));
        }
    }
    none("unsafe code is rare and argued", broken);
}

#[test]
fn every_package_has_the_lints_of_the_workspace() {
    let root = text("Cargo.toml");
    for lint in ["missing_docs = \"deny\"", "unsafe_code = \"deny\"", "unwrap_used = \"warn\""] {
        assert!(root.contains(lint), "the workspace lacks {lint}");
    }
    let manifests = TREE.files.iter().filter(|path| path.ends_with("Cargo.toml"));
    let lax = manifests.filter(|path| !text(path).contains("[lints]\nworkspace = true"));
    none("packages take the lints of the workspace", lax.cloned().collect());
}

#[test]
fn stdout_is_for_rows_and_answers() {
    let mut broken = Vec::new();
    for source in TREE.below(&["src/"]).chain(dataflows()) {
        if TREE.is_test(source) || is_below(&source.path, &STDOUT) {
            continue;
        }
        for (line, code) in (1..).zip(source.product.lines()) {
            let printed = code.contains("println!(") && !code.contains("eprintln!(");
            if printed || code.contains(" print!(") {
                broken.push(at(source, line, "prints"));
            }
        }
        broken.extend(naming(source, &["std::io::stdout", "io::stdout"]));
    }
    none("only rows and answers go to stdout", broken);
}

/// Texts that people write: no data, no lock file.
fn written() -> impl Iterator<Item = (&'static String, String)> {
    let ours = |path: &&String| {
        let data = is_below(path, &["datasets/samples/", "datasets/real/", "bench/results/"]);
        !data && !path.ends_with(".lock") && !path.ends_with(".gz")
    };
    TREE.files.iter().filter(ours).map(|path| (path, text(path)))
}

#[test]
fn no_note_to_self_is_left() {
    let words = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X")];
    let mut broken = Vec::new();
    for (path, text) in written() {
        for (line, text) in (1..).zip(text.lines()) {
            let mut found = text.split(|c: char| !c.is_alphanumeric());
            if found.any(|word| words.contains(&word)) {
                broken.push(format!("{path}:{line}: {}", text.trim()));
            }
        }
    }
    none("what is to be done stands in an issue", broken);
}

#[test]
fn no_file_names_a_folder_of_one_machine_or_the_host_of_a_registry() {
    let homes = [concat!("/ro", "ot/"), concat!("/ho", "me/"), concat!("/wo", "rk/")];
    let hosts = [
        concat!("index.", "crates.io"),
        concat!("static.", "crates.io"),
        concat!("pypi", ".org"),
        concat!("pythonhosted", ".org"),
        concat!("registry.", "npmjs.org"),
        concat!("repo.", "maven"),
        concat!("repo1.", "maven"),
        concat!("deb.", "debian.org"),
    ];
    let mut broken = Vec::new();
    for (path, text) in written() {
        for (line, text) in (1..).zip(text.lines()) {
            // Inside a longer path it is another folder.
            let begins = |place: &str| {
                let found = text.match_indices(place);
                let before = |at: usize| text[..at].chars().next_back();
                let inside = |c: char| c.is_alphanumeric() || "._-/}".contains(c);
                found.into_iter().any(|(at, _)| !before(at).is_some_and(inside))
            };
            if homes.iter().any(|home| begins(home)) || hosts.iter().any(|h| text.contains(h)) {
                broken.push(format!("{path}:{line}: {}", text.trim()));
            }
        }
    }
    none("files name no machine", broken);
}

#[test]
fn documents_link_to_files_that_are_there() {
    let mut broken = Vec::new();
    for (path, text) in written().filter(|(path, _)| path.ends_with(".md")) {
        let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let target = link.split('#').next().unwrap_or(link);
            if target.is_empty() || target.contains("://") || target.contains(' ') {
                continue;
            }
            let place = resolve(folder, target);
            let below = format!("{place}/");
            if !TREE.files.iter().any(|file| *file == place || file.starts_with(&below)) {
                broken.push(format!("{path}: {target}"));
            }
        }
    }
    none("links lead somewhere", broken);
}

/// A relative link, from a folder.
fn resolve(folder: &str, link: &str) -> String {
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in link.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    parts.join("/")
}

#[test]
fn the_code_map_names_every_room() {
    let map = text("ARCHITECTURE.md");
    let mut rooms: Vec<String> = Vec::new();
    for path in TREE.files.iter().filter_map(|path| path.strip_prefix("src/")) {
        rooms.push(match path.split_once('/') {
            Some((folder, _)) => format!("{folder}/"),
            None => path.to_string(),
        });
    }
    rooms.sort();
    rooms.dedup();
    // A file beside the folder of its parts is one room.
    let beside = |room: &String| rooms.contains(&room.replace('/', ".rs"));
    let missing = rooms.iter().filter(|room| !(room.ends_with('/') && beside(room)));
    let missing = missing.filter(|room| !map.contains(&format!("`{room}`")));
    none("ARCHITECTURE.md describes every room of src", missing.cloned().collect());
}
