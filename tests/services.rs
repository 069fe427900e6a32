//! `make services-up` and `make services-down`: Kafka and PostgreSQL on this machine, for trying
//! Highwater by hand. `up` prints the variables that the job files read, for a shell's `eval`.

use std::io::{self, Write};
use std::process::ExitCode;

use highwater::testing::Skip;
use highwater::testing::services::{Ports, default_dir, down, up};

fn main() -> ExitCode {
    let word = std::env::args().nth(1).unwrap_or_default();
    match run(&word) {
        Ok(text) => {
            // Nothing can be done about a closed pipe.
            let _ = io::stdout().write_all(text.as_bytes());
            ExitCode::SUCCESS
        }
        Err(skip) => {
            eprintln!("error: {skip}");
            ExitCode::FAILURE
        }
    }
}

/// What a command prints.
fn run(word: &str) -> Result<String, Skip> {
    match word {
        "up" => {
            let services = up(&default_dir(), Ports::default())?;
            let variables = [
                ("KAFKA_BOOTSTRAP_SERVERS", services.brokers.as_str()),
                ("POSTGRES_URL", services.postgres_url.as_str()),
                // The job file names the user of the replaced system else.
                ("POSTGRES_USER", "highwater"),
            ];
            Ok(variables.map(|(name, value)| format!("export {name}={value}\n")).concat())
        }
        "down" => down(&default_dir()).map(|()| String::new()),
        _ => Err(Skip { reason: "say `up` or `down`".into() }),
    }
}
