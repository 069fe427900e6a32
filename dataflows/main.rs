//! The binary `highwater`.

use std::process::ExitCode;

fn main() -> ExitCode {
    highwater::cli::main(highwater_dataflows::DATAFLOWS, highwater_datasets::GENERATORS)
}
