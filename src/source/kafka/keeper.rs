//! The keeper: a thread that does for a source whatever waits for a broker, so that the worker
//! never does. It serves librdkafka's main queue, looks the topic up, and finds out what became of
//! a position that is gone.
//!
//! ```text
//!  worker ── Command ──► keeper ──► broker        keeper ── Verdict, partition count ──► worker
//! ```
//!
//! One keeper a source: it is told to end when the source is dropped, and nobody waits for it.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use super::client::{ANSWER_MAX, Client, Look, Verdict, lock};
use super::queue::topic_id;
use crate::config::DataLoss;
use crate::error::{Error, Result};

/// How long the keeper sleeps if nobody asks for it.
const PAUSE: Duration = Duration::from_millis(500);

/// How many looks in a row must miss a topic before it is gone: a broker that has just started may
/// not know it yet.
const MISSES_MAX: u32 = 3;

/// What the worker asks for.
pub(super) enum Command {
    /// A partition cannot be read from this offset; `begun` says whether any of it was read or
    /// promised, so that something is lost.
    Lost {
        /// Which one.
        partition: u32,
        /// The offset that the broker refused.
        offset: i64,
        /// Whether the position was more than "the earliest there is".
        begun: bool,
    },
    /// Look the topic up now.
    Look,
    /// The source is dropped.
    Stop,
}

/// What the keeper found about the topic.
pub(super) struct Findings {
    pub(super) partitions: AtomicU32,
    /// The id that the topic had at the start, if brokers told it in time.
    pub(super) id: Option<(i64, i64)>,
    failure: Mutex<Option<Error>>,
}

impl Findings {
    /// Fails if the topic is no longer what it was.
    pub(super) fn check(&self) -> Result<()> {
        match &*lock(&self.failure) {
            Some(error) => Err(error.clone()),
            None => Ok(()),
        }
    }
}

/// What a keeper needs to know of its source.
pub(super) struct Duty {
    pub(super) client: Arc<Client>,
    pub(super) partitions: u32,
    pub(super) refresh: Duration,
    pub(super) data_loss: DataLoss,
}

/// The source's end of its keeper.
pub(super) struct Handle {
    pub(super) commands: Sender<Command>,
    pub(super) findings: Arc<Findings>,
}

impl Drop for Handle {
    fn drop(&mut self) {
        // A keeper that has ended already takes no command.
        let _ = self.commands.send(Command::Stop);
    }
}

struct Keeper {
    duty: Duty,
    findings: Arc<Findings>,
    /// Offsets that were refused, and whether the reading of their partitions had begun.
    lost: BTreeMap<u32, (i64, bool)>,
    id: Option<(i64, i64)>,
    misses: u32,
    next_look: Instant,
}

/// Starts a keeper.
pub(super) fn start(duty: Duty) -> Result<Handle> {
    let (commands, inbox) = mpsc::channel();
    let partitions = AtomicU32::new(duty.partitions);
    // Now, so that a topic that is made anew at any time from here on is noticed.
    let id = topic_id(&duty.client, &duty.client.topic, ANSWER_MAX);
    let findings = Arc::new(Findings { partitions, id, failure: Mutex::default() });
    let mut keeper = Keeper {
        duty,
        findings: findings.clone(),
        lost: BTreeMap::new(),
        id,
        misses: 0,
        next_look: Instant::now(),
    };
    thread::Builder::new()
        .name("kafka-keeper".to_owned())
        .spawn(move || while keeper.round(&inbox) {})
        .map_err(|error| Error::unreachable(format!("no thread for a kafka source: {error}")))?;
    Ok(Handle { commands, findings })
}

impl Keeper {
    /// Sleeps, then does what there is to do; false at the end.
    fn round(&mut self, inbox: &Receiver<Command>) -> bool {
        let mut command = match inbox.recv_timeout(PAUSE) {
            Ok(command) => Some(command),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => return false,
        };
        while let Some(now) = command {
            match now {
                Command::Lost { partition, offset, begun } => {
                    self.lost.insert(partition, (offset, begun));
                }
                Command::Look => self.next_look = Instant::now(),
                Command::Stop => return false,
            }
            command = inbox.try_recv().ok();
        }
        self.duty.client.serve();
        self.find_lost();
        if self.next_look <= Instant::now() {
            self.look();
        }
        true
    }

    /// Asks what became of positions that were refused; without an answer, again next time.
    fn find_lost(&mut self) {
        let duty = &self.duty;
        self.lost.retain(|&partition, &mut (offset, begun)| {
            let Ok((low, high)) = duty.client.watermarks(partition) else { return true };
            let name = format!("{}/{partition}", duty.client.topic);
            let verdict = verdict(&name, offset, begun, (low, high), duty.data_loss);
            if let Verdict::Resume(at) = verdict {
                tracing::warn!(partition = name, offset, at, "position gone, reading goes on");
            }
            if let Some(seat) = duty.client.shared.seat(partition) {
                seat.judge(verdict);
            }
            false
        });
    }

    /// Looks whether the topic is still what it was.
    fn look(&mut self) {
        self.next_look = Instant::now() + self.duty.refresh;
        let client = &self.duty.client;
        let known = self.findings.partitions.load(Ordering::Relaxed);
        match client.look() {
            // Nobody answers: an outage, which is waited for.
            Err(_) => {}
            Ok(Look::Gone(error)) => {
                self.misses += 1;
                self.next_look = Instant::now() + self.duty.refresh.min(ANSWER_MAX);
                if MISSES_MAX <= self.misses {
                    self.fail(error);
                }
            }
            Ok(Look::There(now)) if now < known => {
                let topic = &client.topic;
                let error = format!("topic `{topic}` had {known} partitions and now has {now}");
                self.fail(Error::config(error).hint(ANEW));
            }
            Ok(Look::There(now)) => {
                self.misses = 0;
                let id = topic_id(client, &client.topic, ANSWER_MAX);
                if self.id.is_some() && id.is_some() && id != self.id {
                    let error = format!("topic `{}` was deleted and made anew", client.topic);
                    return self.fail(Error::config(error).hint(ANEW));
                }
                self.id = self.id.or(id);
                if known < now {
                    self.findings.partitions.store(now, Ordering::Relaxed);
                    // One partition of a worker is enough to wake it.
                    if let Some(seat) = self.duty.client.shared.seats().first() {
                        seat.wake();
                    }
                }
            }
        }
    }

    /// Ends the reading of the whole topic.
    fn fail(&self, error: Error) {
        *lock(&self.findings.failure) = Some(error.clone());
        for seat in self.duty.client.shared.seats() {
            seat.judge(Verdict::Fail(error.clone()));
        }
    }
}

const ANEW: &str = "positions in the old topic say nothing about the new one: start the job anew, \
                    without a checkpoint";

/// What a refused offset means, given the first that is kept and the one behind the last.
fn verdict(
    name: &str,
    offset: i64,
    begun: bool,
    (low, high): (i64, i64),
    data_loss: DataLoss,
) -> Verdict {
    if high < offset {
        let error = format!("position {offset} of {name} is beyond its end, {high}");
        return Verdict::Fail(Error::config(error).hint(format!(
            "the topic was made anew or lost records, or the start is wrong; {ANEW}"
        )));
    }
    if low <= offset || !begun || data_loss == DataLoss::Count {
        return Verdict::Resume(offset.max(low));
    }
    let error = format!("position {offset} of {name} is no longer there: the first kept is {low}");
    Verdict::Fail(Error::config(error).hint(
        "the topic's retention overtook the job: set data_loss = \"count\" to go on and count \
         the gap, or start with --from earliest",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(offset: i64, begun: bool, data_loss: DataLoss, expect: Result<i64, &str>) {
        match (verdict("t/0", offset, begun, (10, 20), data_loss), expect) {
            (Verdict::Resume(at), Ok(expect)) => assert_eq!(at, expect),
            (Verdict::Fail(error), Err(expect)) => {
                assert!(error.message().contains(expect), "{error}");
            }
            (Verdict::Resume(at), Err(expect)) => panic!("resumed at {at}, not: {expect}"),
            (Verdict::Fail(error), Ok(expect)) => panic!("{error}, not resumed at {expect}"),
        }
    }

    #[test]
    fn a_position_before_the_first_record_ends_the_job_or_is_counted() {
        check(3, true, DataLoss::Stop, Err("the first kept is 10"));
        check(3, true, DataLoss::Count, Ok(10));
    }

    #[test]
    fn the_earliest_start_loses_nothing_when_retention_is_faster() {
        check(3, false, DataLoss::Stop, Ok(10));
    }

    #[test]
    fn a_position_beyond_the_end_is_never_counted_as_a_loss() {
        check(21, true, DataLoss::Stop, Err("beyond its end, 20"));
        check(21, true, DataLoss::Count, Err("beyond its end, 20"));
    }

    #[test]
    fn a_position_that_is_there_after_all_is_read() {
        check(10, true, DataLoss::Stop, Ok(10));
        check(20, true, DataLoss::Stop, Ok(20));
    }
}
