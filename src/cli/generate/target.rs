//! Where `highwater generate` writes to.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, BufWriter, ErrorKind, Stdout, Write};
use std::path::{Path, PathBuf};

use super::Generate;
use crate::dataset::{GeneratorKind, GeneratorOptions, Made};
use crate::error::{Error, Result};
use crate::runtime::Stop;

/// A place for records.
pub(super) trait Target {
    /// Takes a record; may wait until there is room.
    fn write(&mut self, made: &Made) -> Result<()>;

    /// Nothing is due right now: what was taken is passed on.
    fn pause(&mut self) -> Result<()>;

    /// Writes the rest; afterwards everything is there.
    fn finish(&mut self) -> Result<()>;

    /// Whether nobody reads any more.
    fn is_closed(&self) -> bool {
        false
    }
}

/// Opens the place that the arguments name.
pub(super) fn open(
    args: &Generate,
    kind: &'static GeneratorKind,
    options: &GeneratorOptions,
    stop: &Stop,
) -> Result<Box<dyn Target>> {
    let places = options.topics.iter().map(|index| {
        let topic = &kind.topics[*index];
        Place {
            index: *index,
            topic: topic.name,
            partitions: options.partitions.unwrap_or(topic.partitions),
        }
    });
    let places: Vec<Place> = places.collect();
    match (&args.kafka, &args.files) {
        (Some(brokers), _) => open_kafka(brokers, args, kind, &places, stop),
        (None, Some(folder)) => Ok(Box::new(Files::new(folder, &places, args.overwrite)?)),
        (None, None) => Ok(Box::new(Lines { out: BufWriter::new(io::stdout()), closed: false })),
    }
}

/// A topic that will be written.
struct Place {
    index: usize,
    topic: &'static str,
    partitions: u32,
}

/// Values as lines on standard output, all topics mixed.
struct Lines {
    out: BufWriter<Stdout>,
    closed: bool,
}

impl Lines {
    /// A reader that went away, such as `head`, is the end and no failure.
    fn accept(&mut self, outcome: io::Result<()>) -> Result<()> {
        match outcome {
            Err(error) if error.kind() == ErrorKind::BrokenPipe => {
                self.closed = true;
                Ok(())
            }
            outcome => outcome.map_err(|error| {
                Error::storage(format!("cannot write to standard output: {error}"))
            }),
        }
    }
}

impl Target for Lines {
    fn write(&mut self, made: &Made) -> Result<()> {
        let outcome = self.out.write_all(&made.value).and_then(|()| self.out.write_all(b"\n"));
        self.accept(outcome)
    }

    fn pause(&mut self) -> Result<()> {
        let outcome = self.out.flush();
        self.accept(outcome)
    }

    fn finish(&mut self) -> Result<()> {
        self.pause()
    }

    fn is_closed(&self) -> bool {
        self.closed
    }
}

/// JSON lines in a folder; a file per topic and partition.
struct Files {
    files: BTreeMap<(usize, u32), (PathBuf, BufWriter<File>)>,
}

impl Files {
    fn new(folder: &Path, places: &[Place], overwrite: bool) -> Result<Files> {
        fs::create_dir_all(folder).map_err(|error| failed(folder, &error))?;
        let mut files = BTreeMap::new();
        for place in places {
            for partition in 0..place.partitions {
                let path = folder.join(format!("{}-{partition}.jsonl", place.topic));
                let mut options = File::options();
                options.write(true).truncate(overwrite).create(true).create_new(!overwrite);
                let file = options.open(&path).map_err(|error| failed(&path, &error))?;
                files.insert((place.index, partition), (path, BufWriter::new(file)));
            }
        }
        Ok(Files { files })
    }
}

fn failed(path: &Path, error: &io::Error) -> Error {
    let path = path.display();
    match error.kind() {
        ErrorKind::AlreadyExists => Error::config(format!("`{path}` exists"))
            .hint("name another folder, or allow it with --overwrite"),
        ErrorKind::PermissionDenied | ErrorKind::NotADirectory | ErrorKind::NotFound => {
            Error::config(format!("`{path}` cannot be written: {error}"))
                .hint("name a folder that you may write to")
        }
        _ => Error::storage(format!("`{path}` cannot be written: {error}"))
            .hint("is there room on the disk?"),
    }
}

impl Target for Files {
    fn write(&mut self, made: &Made) -> Result<()> {
        let place = (made.topic, made.partition);
        let Some((path, file)) = self.files.get_mut(&place) else {
            return Err(Error::bug(format!("a record of partition {place:?}, which has no file")));
        };
        let outcome = file.write_all(&made.value).and_then(|()| file.write_all(b"\n"));
        outcome.map_err(|error| failed(path, &error))
    }

    fn pause(&mut self) -> Result<()> {
        self.finish()
    }

    fn finish(&mut self) -> Result<()> {
        for (path, file) in self.files.values_mut() {
            file.flush().map_err(|error| failed(path, &error))?;
        }
        Ok(())
    }
}

#[cfg(not(feature = "kafka"))]
fn open_kafka(
    _brokers: &str,
    _args: &Generate,
    _kind: &'static GeneratorKind,
    _places: &[Place],
    _stop: &Stop,
) -> Result<Box<dyn Target>> {
    Err(Error::usage("this build cannot write to Kafka")
        .hint("build it with the Cargo feature `kafka`, or write to --files"))
}

#[cfg(feature = "kafka")]
use kafka::open as open_kafka;

#[cfg(feature = "kafka")]
mod kafka {
    use std::time::Instant;

    use super::*;
    use crate::cli::log;
    use crate::error::Kind;
    use crate::source::Start;
    use crate::source::kafka::{Admin, ClientSettings, Options, Outgoing, Producer, look};
    use crate::time::minutes;

    /// Records of Kafka.
    struct Kafka {
        producer: Producer,
        kind: &'static GeneratorKind,
    }

    pub(super) fn open(
        brokers: &str,
        args: &Generate,
        kind: &'static GeneratorKind,
        places: &[Place],
        stop: &Stop,
    ) -> Result<Box<dyn Target>> {
        let brokers = match brokers {
            "" => {
                std::env::var("KAFKA_BOOTSTRAP_SERVERS").unwrap_or_else(|_| "localhost:9092".into())
            }
            brokers => brokers.to_owned(),
        };
        let client = settings(&args.client)?;
        wait(&brokers, &client, args, places, stop)?;
        let admin = Admin::new(&brokers, &client)?;
        for Place { index, topic, partitions } in places {
            let found = match admin.partitions(topic)? {
                0 => {
                    let settings = kind.topics[*index].settings;
                    let made = admin.create_topic_with(topic, *partitions, settings)?;
                    log::say(&format!("made topic `{topic}` with {made} partitions"));
                    made
                }
                found => found,
            };
            if found < *partitions {
                let message = format!("topic `{topic}` has {found} partitions, not {partitions}");
                let hint = format!("write --partitions {found}, or give it more");
                return Err(Error::config(message).hint(hint));
            }
        }
        Ok(Box::new(Kafka { producer: Producer::new(&brokers, &client)?, kind }))
    }

    fn settings(given: &[String]) -> Result<ClientSettings> {
        let pairs = given.iter().map(|pair| {
            // The pair is not shown: its value may be a secret.
            let (name, value) = pair.split_once('=').ok_or_else(|| {
                Error::usage("--client: there is no `=` behind the name")
                    .hint("write one like --client security.protocol=ssl")
            })?;
            Ok((name.trim().to_owned(), value.trim().to_owned()))
        });
        Ok(ClientSettings(pairs.collect::<Result<_>>()?))
    }

    /// Waits until a broker answers; what it answers is no matter here.
    fn wait(
        brokers: &str,
        client: &ClientSettings,
        args: &Generate,
        places: &[Place],
        stop: &Stop,
    ) -> Result<()> {
        let Some(place) = places.first() else { return Ok(()) };
        let options = Options {
            topic: place.topic.into(),
            brokers: brokers.into(),
            start: Start::Earliest,
            group: None,
            refresh: minutes(5),
            client: client.clone(),
        };
        let attempts = args.connect_attempts;
        for attempt in 1..=attempts {
            let next = Instant::now() + args.connect_every;
            let error = match look(&options) {
                Err(error) if error.kind() == Kind::Unreachable => error,
                _ => return Ok(()),
            };
            log::say(&format!("Waiting for Kafka... (attempt {attempt}/{attempts})"));
            if attempt == attempts || stop.is_asked() {
                log::say(&format!("ERROR: Kafka not available after {attempt} attempts"));
                return Err(error.hint("start it, or name its brokers: --kafka HOST:PORT"));
            }
            while Instant::now() < next && !stop.is_asked() {
                std::thread::sleep(super::super::NAP);
            }
        }
        Ok(())
    }

    impl Target for Kafka {
        fn write(&mut self, made: &Made) -> Result<()> {
            self.producer.send(Outgoing {
                topic: self.kind.topics[made.topic].name,
                partition: made.partition,
                key: (!made.key.is_empty()).then_some(&made.key[..]),
                value: Some(&made.value),
                time: Some(made.due),
            })
        }

        fn pause(&mut self) -> Result<()> {
            self.producer.serve()
        }

        fn finish(&mut self) -> Result<()> {
            self.producer.flush()
        }
    }
}
