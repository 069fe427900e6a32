//! The command line: what the binary `highwater`, and a binary with dataflows of one's own, does.
//!
//! ```no_run
//! use highwater::cli;
//! use highwater::runtime::Dataflow;
//!
//! const DATAFLOWS: &[Dataflow] = &[];
//!
//! fn main() -> std::process::ExitCode {
//!     cli::main(DATAFLOWS, &[])
//! }
//! ```

mod args;
mod check;
mod cluster;
mod control;
mod generate;
mod inspect;
mod leash;
mod letters;
mod list;
mod log;
mod place;
mod plan;
mod progress;
mod run;
mod stop;
mod txn;

use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{CommandFactory, FromArgMatches};

use crate::dataset::GeneratorKind;
use crate::error::{Error, Result};
use crate::runtime::Dataflow;
use args::{Cli, Command};

/// What a binary can run.
#[derive(Clone, Copy)]
pub struct Registry {
    /// Its dataflows.
    pub dataflows: &'static [Dataflow],
    /// Its data sets.
    pub generators: &'static [GeneratorKind],
}

/// Runs the command line of this process and returns its exit code: 0 done, 64 the command line,
/// 65 configuration, 70 a bug, 74 storage, 75 unreachable.
pub fn main(dataflows: &'static [Dataflow], generators: &'static [GeneratorKind]) -> ExitCode {
    let registry = Registry { dataflows, generators };
    let cli = match parse(registry) {
        Ok(cli) => cli,
        Err(error) => return explain(&error),
    };
    log::start(cli.verbose);
    log::install_panic_hook();
    match command(&cli, registry) {
        Ok(code) => code,
        Err(error) => {
            log::say(&format!("error: {error}"));
            ExitCode::from(error.kind().exit_code() as u8)
        }
    }
}

/// Parses the command line; the options of data sets are known only now.
fn parse(registry: Registry) -> std::result::Result<Cli, clap::Error> {
    let command = generate::with_options(Cli::command(), registry.generators);
    let matches = command.try_get_matches()?;
    let mut cli = Cli::from_arg_matches(&matches)?;
    if let (Some(Command::Generate(generate)), Some(matches)) =
        (&mut cli.command, matches.subcommand_matches("generate"))
    {
        generate.take_options(matches, registry.generators);
    }
    Ok(cli)
}

fn command(cli: &Cli, registry: Registry) -> Result<ExitCode> {
    match &cli.command {
        None => run::run(&args::Run::default(), &cli.workers, registry)?,
        Some(Command::Run(run)) => run::run(run, &cli.workers, registry)?,
        Some(Command::Cluster(run)) => return cluster::cluster(run, cli, registry),
        Some(Command::Check(check)) => check::check(check, &cli.workers, registry)?,
        Some(Command::Generate(generate)) => generate::generate(generate, registry)?,
        Some(Command::Inspect(args)) => inspect::inspect(args)?,
        Some(Command::Stop(args)) => return stop::stop(args),
        Some(Command::Letters(letters)) => letters::letters(letters, registry)?,
        Some(Command::Txn(txn)) => txn::txn(txn, registry)?,
        Some(Command::List(list)) => list::list(list, registry)?,
    }
    Ok(ExitCode::SUCCESS)
}

/// Help and version are no mistakes; everything else is exit code 64.
fn explain(error: &clap::Error) -> ExitCode {
    // Nothing can be done about a closed terminal.
    let _ = error.print();
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => ExitCode::SUCCESS,
        _ => ExitCode::from(Error::usage("").kind().exit_code() as u8),
    }
}
