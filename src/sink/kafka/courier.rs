//! Delivers whole epochs: their rows and the marker of the last one in one transaction.
//!
//! The transactional id is that of the shard and says nothing of the attempt: who begins with it
//! keeps earlier ones from going on. After every failure the producer is made anew and the marker
//! read again, so that it makes no difference which answer was lost.

use std::sync::Arc;

use rdkafka::producer::{BaseProducer, Producer as _};

use super::Options;
use super::marker::{Marker, Markers};
use super::messages::{Form, Messages};
use super::producer::{Answers, transactional};
use super::transaction::{CALL_MAX, Failure, Session, Trouble};
use super::txn;
use crate::error::{Error, Result};
use crate::sink::Refusal;
use crate::sink::courier::{Courier, Delivered, Delivery, Refused, Route};
use crate::sink::file::now;

/// Delivers the rows of one shard.
pub(super) struct KafkaCourier {
    options: Arc<Options>,
    form: Form,
    route: Route,
    /// The transactional id, and the group whose offset is the marker.
    id: String,
    opening: Option<Opening>,
    session: Option<Session>,
}

/// What a session is made of; kept while brokers do not answer.
struct Opening {
    before: Markers,
    producer: BaseProducer<Answers>,
    /// Brokers know the producer, and no earlier one of its id any more.
    is_known: bool,
    after: Markers,
    /// Each record is a request of its own, so that the answer to it is about no other.
    alone: bool,
}

impl Opening {
    fn new(options: &Options, id: &str, alone: bool) -> Result<Opening> {
        Ok(Opening {
            before: Markers::new(options, id, false)?,
            producer: transactional(options, id, alone)?,
            is_known: false,
            after: Markers::new(options, id, true)?,
            alone,
        })
    }

    /// Takes the shard over; says what its topic holds.
    fn begin(&mut self, options: &Options, id: &str, route: &Route) -> Result<Marker> {
        // STEP 1. An earlier attempt that wakes up must not keep a later one from its work.
        self.before.read(options, id, route)?;
        // STEP 2. What others have left open is ended, and they are kept from beginning more.
        if !self.is_known {
            self.producer.init_transactions(CALL_MAX).map_err(|error| {
                let words = self.producer.context().trouble();
                let trouble = Trouble { brokers: &options.brokers, words: &words };
                trouble.of(&self.producer, &error)
            })?;
            self.is_known = true;
        }
        // STEP 3. Nothing is open now, so this cannot be undone any more.
        self.after.read(options, id, route)
    }
}

impl KafkaCourier {
    pub(super) fn new(options: Arc<Options>, form: Form, route: Route) -> KafkaCourier {
        let id = format!("highwater.{}.{}.{}", route.job, route.sink, route.shard);
        KafkaCourier { options, form, route, id, opening: None, session: None }
    }

    /// The session; made if there is none.
    fn session(&mut self, alone: bool) -> Result<&mut Session> {
        let session = match self.session.take() {
            Some(session) => session,
            None => self.open(alone)?,
        };
        Ok(self.session.insert(session))
    }

    /// What is committed cannot be taken back.
    fn refuse_behind(&self, last: Option<u64>) -> Result<()> {
        let (topic, restored) = (&self.options.topic, self.route.restored);
        let Some(found) = last.filter(|_| restored < last) else { return Ok(()) };
        let kept = restored.unwrap_or(0);
        Err(Error::config(format!(
            "topic `{topic}` has the rows of epoch {found}, the checkpoint is that of {kept}: what \
             was committed cannot be taken back"
        ))
        .hint("bring the damaged checkpoint back, or start anew with another topic"))
    }

    /// The last epoch that other shards have delivered in earlier attempts, also those that this
    /// attempt has no worker for and its checkpoint does not name. One shard asks for all; where
    /// groups cannot be listed, the others speak for themselves.
    fn last_of_others(&self) -> Result<Option<u64>> {
        let Route { job, sink, shard, generation, .. } = &self.route;
        if *shard != 0 {
            return Ok(None);
        }
        let prefix = format!("highwater.{job}.{sink}.");
        let numbers = txn::numbers(&self.options, &prefix).unwrap_or_else(|error| {
            tracing::warn!("shards of earlier attempts are not looked at: {error}");
            vec![]
        });
        let mut last = None;
        for number in numbers.into_iter().filter(|number| *number != 0) {
            let group = format!("{prefix}{number}");
            // Not the settled offset: a shard of this attempt may be at work. What that has
            // delivered is not behind.
            let markers = Markers::new(&self.options, &group, false)?;
            let marker = markers.read(&self.options, &group, &self.route)?;
            if marker.generation < *generation {
                last = last.max(marker.last);
            }
        }
        Ok(last)
    }

    fn open(&mut self, alone: bool) -> Result<Session> {
        let kept = self.opening.take().filter(|opening| opening.alone == alone);
        let mut opening = match kept {
            Some(opening) => opening,
            None => Opening::new(&self.options, &self.id, alone)?,
        };
        match opening.begin(&self.options, &self.id, &self.route) {
            Ok(marker) => {
                let group = Arc::new(opening.after.group()?);
                Ok(Session { producer: Arc::new(opening.producer), group, marker })
            }
            Err(error) => {
                let is_of_use = opening.producer.client().fatal_error().is_none();
                self.opening = is_of_use.then_some(opening);
                Err(error)
            }
        }
    }
}

impl Courier for KafkaCourier {
    fn begin(&mut self) -> Result<Delivered> {
        self.session = None;
        let Route { generation, life, .. } = self.route;
        let marker = self.session(false)?.marker.clone();
        self.refuse_behind(marker.last.max(self.last_of_others()?))?;
        // So that an earlier attempt finds out, whatever it does next.
        let marker = Marker { generation, life, ..marker };
        let none = Messages::default();
        let (options, given) = (self.options.clone(), marker.clone());
        let committed = self.session(false)?.commit(&options, &none, &mut vec![], |_| given);
        if let Err(failure) = committed {
            self.session = None;
            return Err(match failure {
                Failure::Other(error) => error,
                Failure::Rows(_) => Error::bug("a row of none was refused"),
            });
        }
        self.session(false)?.marker = marker.clone();
        let refused = marker.refused.iter().map(|refused| (refused.first, refused.refusal()));
        Ok(Delivered { last: marker.last, refused: refused.collect() })
    }

    fn deliver(&mut self, delivery: &Delivery<'_>) -> Result<Vec<Refusal>> {
        let messages = self.form.messages(delivery.rows, now());
        let Delivery { first, last, .. } = *delivery;
        let Route { generation, life, .. } = self.route;
        let options = self.options.clone();
        let (mut refused, mut alone) = (Vec::<Refusal>::new(), false);
        loop {
            let session = self.session(alone)?;
            if Some(last) <= session.marker.last {
                // The answer to an earlier try was lost.
                let mine = session.marker.refused.iter().filter(|refused| refused.first == first);
                return Ok(mine.map(Refused::refusal).collect());
            }
            let earlier = session.marker.refused.clone();
            let marker = |refused: &mut Vec<Refusal>| {
                refused.sort_by_key(|refusal| refusal.row);
                let refused = Refused::kept(earlier, delivery, refused);
                Marker { life, generation, refused, last: Some(last) }
            };
            match session.commit(&options, &messages, &mut refused, marker) {
                Ok(marker) => {
                    session.marker = marker;
                    if alone {
                        // The next delivery need not be as slow.
                        self.session = None;
                    }
                    return Ok(refused);
                }
                Err(Failure::Rows(rows)) if alone => {
                    let refusal = |(row, reject)| Refusal { row, reject };
                    refused.extend(rows.into_iter().map(refusal));
                }
                // Which row of a request it was nobody says.
                Err(Failure::Rows(_)) => (alone, refused) = (true, vec![]),
                Err(Failure::Other(error)) => {
                    self.session = None;
                    return Err(error);
                }
            }
            self.session = None;
        }
    }
}
