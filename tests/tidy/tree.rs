//! The files of the repository, and which Rust files the packages really compile.

use std::collections::{BTreeMap, VecDeque};
use std::fs;
use std::path::Path;
use std::process::Command;

use super::source::Source;

/// The root of the repository.
const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// The repository.
pub(crate) struct Tree {
    /// Every file, below the root.
    pub(crate) files: Vec<String>,
    /// Every Rust file.
    pub(crate) sources: Vec<Source>,
    /// The Rust files that are compiled.
    pub(crate) modules: BTreeMap<String, Module>,
}

/// A Rust file that is compiled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Module {
    /// The file that the crate begins with.
    pub(crate) root: String,
    /// Whether it is compiled for tests alone.
    pub(crate) test: bool,
}

impl Tree {
    /// Reads it.
    pub(crate) fn read() -> Tree {
        let files = tracked().unwrap_or_else(|| walk(""));
        let rust = files.iter().filter(|path| path.ends_with(".rs"));
        let sources: Vec<_> = rust.map(|path| Source::new(path, text(path))).collect();
        let modules = modules(&files, &sources);
        Tree { files, sources, modules }
    }

    /// Rust files below some places; a place is a folder with its slash, or a file.
    pub(crate) fn below<'a>(&'a self, places: &'a [&str]) -> impl Iterator<Item = &'a Source> {
        self.sources.iter().filter(|source| is_below(&source.path, places))
    }

    /// Whether a file is for tests alone.
    pub(crate) fn is_test(&self, source: &Source) -> bool {
        self.modules.get(&source.path).is_none_or(|module| module.test)
    }
}

/// Whether a path is one of the places, or lies below one.
pub(crate) fn is_below(path: &str, places: &[&str]) -> bool {
    places.iter().any(|place| path == *place || (place.ends_with('/') && path.starts_with(place)))
}

/// The text of a file; nothing, if it is not UTF-8.
pub(crate) fn text(path: &str) -> String {
    let bytes = fs::read(Path::new(ROOT).join(path)).unwrap_or_default();
    String::from_utf8(bytes).unwrap_or_default()
}

/// What git knows or would add; `None` without git.
fn tracked() -> Option<Vec<String>> {
    let args = ["ls-files", "-z", "--cached", "--others", "--exclude-standard"];
    let output = Command::new("git").args(args).current_dir(ROOT).output().ok()?;
    let list = String::from_utf8(output.stdout).ok().filter(|_| output.status.success())?;
    let there = |path: &&str| !path.is_empty() && Path::new(ROOT).join(path).is_file();
    let mut files: Vec<String> = list.split('\0').filter(there).map(String::from).collect();
    files.sort();
    files.dedup();
    (!files.is_empty()).then_some(files)
}

/// All files but those that are built.
fn walk(below: &str) -> Vec<String> {
    let mut files = Vec::new();
    for entry in fs::read_dir(Path::new(ROOT).join(below)).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = if below.is_empty() { name.clone() } else { format!("{below}/{name}") };
        let is_dir = entry.path().is_dir();
        if is_dir && name != "target" && name != ".git" {
            files.append(&mut walk(&path));
        } else if !is_dir {
            files.push(path);
        }
    }
    files.sort();
    files
}

/// Follows `mod` from the roots that the manifests name.
fn modules(files: &[String], sources: &[Source]) -> BTreeMap<String, Module> {
    let find = |path: &str| sources.iter().find(|source| source.path == path);
    let mut queue = VecDeque::new();
    for manifest in files.iter().filter(|path| path.ends_with("Cargo.toml")) {
        let folder = manifest.strip_suffix("Cargo.toml").unwrap_or_default();
        for line in text(manifest).lines() {
            let named = line.strip_prefix("path = \"").and_then(|rest| rest.strip_suffix('"'));
            if let Some(path) = named.filter(|path| path.ends_with(".rs")) {
                let root = format!("{folder}{path}");
                let test = root.starts_with("tests/") || root.contains("/tests/");
                queue.push_back((root.clone(), Module { root, test }));
            }
        }
    }
    let mut modules = BTreeMap::new();
    while let Some((path, module)) = queue.pop_front() {
        let Some(source) = find(&path) else { continue };
        for (name, test) in source.modules() {
            let folder = folder_of(&path, &module);
            let beside = [format!("{folder}{name}.rs"), format!("{folder}{name}/mod.rs")];
            if let Some(path) = beside.into_iter().find(|path| find(path).is_some()) {
                let below = Module { root: module.root.clone(), test: test || module.test };
                queue.push_back((path, below));
            }
        }
        // Compiled twice, as a part of the product and of tests: it is a part of the product.
        let known = modules.entry(path).or_insert(module.clone());
        known.test &= module.test;
    }
    modules
}

/// Where the modules that a file declares lie.
fn folder_of(path: &str, module: &Module) -> String {
    let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
    if path == module.root || name == "mod.rs" {
        format!("{folder}/")
    } else {
        format!("{folder}/{}/", name.trim_end_matches(".rs"))
    }
}
