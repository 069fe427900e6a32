//! Java servers from Maven: their jars in the cache folder, fetched once.

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::Command;

use super::process::{find_program, run};
use super::{Skip, cache_dir};

/// The jars of a server, and the program that runs them.
#[derive(Clone)]
pub(super) struct Jars {
    /// The folder with the files that were asked for, and `libs` with the jars.
    pub(super) dir: PathBuf,
    java: PathBuf,
}

impl Jars {
    /// Fetches what a `pom.xml` names and writes files beside it, unless that has been done; by one
    /// process at a time, for as long as it keeps the lock that it gets.
    ///
    /// # Errors
    ///
    /// Java or Maven is missing, or the jars cannot be fetched.
    pub(super) fn get(
        name: &str,
        pom: &str,
        files: &[(&str, String)],
    ) -> Result<(Jars, File), Skip> {
        let missing = |what: &str| {
            Skip::new(format!(
                "{name} needs `{what}`: apt-get install openjdk-17-jre-headless maven"
            ))
        };
        let java = find_program("java").ok_or_else(|| missing("java"))?;
        let dir = cache_dir().join(format!("{name}-{:016x}", crate::hash::of(pom)));
        let failed = |error| Skip::new(format!("{}: {error}", dir.display()));
        fs::create_dir_all(&dir).map_err(failed)?;
        let lock = File::create(dir.join("lock")).map_err(failed)?;
        lock.lock().map_err(failed)?;
        if !dir.join("installed").exists() {
            let mvn = find_program("mvn").ok_or_else(|| missing("mvn"))?;
            fs::write(dir.join("pom.xml"), pom).map_err(failed)?;
            for (file, text) in files {
                fs::write(dir.join(file), text).map_err(failed)?;
            }
            let mut command = Command::new(mvn);
            command.args(["-B", "-q", "-f"]).arg(dir.join("pom.xml"));
            command.args(["dependency:copy-dependencies", "-DincludeScope=runtime"]);
            command.arg(format!("-DoutputDirectory={}", dir.join("libs").display()));
            run(command)?;
            fs::write(dir.join("installed"), "").map_err(failed)?;
        }
        Ok((Jars { dir, java }, lock))
    }

    /// Java with the jars, and a setting that names one of the files.
    pub(super) fn java(&self, setting: &str, file: &str) -> Command {
        let mut java = Command::new(&self.java);
        java.arg(format!("-D{setting}={}", self.dir.join(file).display()));
        java.arg("-cp").arg(self.dir.join("libs/*"));
        java
    }
}
