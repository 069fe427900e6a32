//! Publishes positions to a group, for lag tools: a thread that waits for each answer.
//!
//! Positions that come while an answer is awaited replace each other, so an outage piles nothing
//! up. At the end the last ones are published, within [`ANSWER_MAX`].

use std::collections::BTreeMap;
use std::mem;
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex};
use std::thread;

use rdkafka::consumer::{CommitMode, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::{Offset, TopicPartitionList};

use super::client::{ANSWER_MAX, Client, lock, number};
use crate::error::{Error, Result};

/// The source's end of the thread.
pub(super) struct Publisher {
    /// `None` only while it is dropped, which tells the thread to end.
    positions: Option<Sender<Vec<(u32, i64)>>>,
    refusal: Arc<Mutex<Option<KafkaError>>>,
    ended: Receiver<()>,
    name: String,
}

impl Publisher {
    /// Starts the thread.
    pub(super) fn start(client: Arc<Client>, group: &str) -> Result<Publisher> {
        let name = format!("positions of topic `{}` in group `{group}`", client.topic);
        let (positions, inbox) = mpsc::channel();
        let (done, ended) = mpsc::channel();
        let refusal = Arc::<Mutex<Option<KafkaError>>>::default();
        let refused = refusal.clone();
        thread::Builder::new()
            .name("kafka-publish".to_owned())
            .spawn(move || {
                run(&client, &inbox, &refused);
                // Nobody may wait any longer.
                let _ = done.send(());
            })
            .map_err(|error| Error::unreachable(format!("no thread for {name}: {error}")))?;
        Ok(Publisher { positions: Some(positions), refusal, ended, name })
    }

    /// Passes positions on.
    ///
    /// # Errors
    ///
    /// Earlier ones were refused.
    pub(super) fn publish(&self, positions: &[(u32, i64)]) -> Result<()> {
        if let Some(sender) = &self.positions {
            // The thread ends only behind this value.
            let _ = sender.send(positions.to_vec());
        }
        match lock(&self.refusal).take() {
            None => Ok(()),
            Some(error) => Err(Error::unreachable(format!("{} were refused: {error}", self.name))
                .hint("does a consumer use the same group, or has the user no right to it?")),
        }
    }
}

impl Drop for Publisher {
    fn drop(&mut self) {
        drop(mem::take(&mut self.positions));
        if self.ended.recv_timeout(ANSWER_MAX).is_err() {
            tracing::debug!("{} are not published: no answer", self.name);
        }
    }
}

fn run(client: &Client, inbox: &Receiver<Vec<(u32, i64)>>, refusal: &Mutex<Option<KafkaError>>) {
    while let Ok(first) = inbox.recv() {
        let mut newest: BTreeMap<u32, i64> = first.into_iter().collect();
        newest.extend(inbox.try_iter().flatten());
        if let Err(error) = commit(client, &newest) {
            *lock(refusal) = Some(error);
        }
    }
}

/// Commits and waits for the answer.
fn commit(client: &Client, positions: &BTreeMap<u32, i64>) -> Result<(), KafkaError> {
    let mut list = TopicPartitionList::with_capacity(positions.len());
    for (&partition, &next) in positions {
        list.add_partition_offset(&client.topic, number(partition), Offset::Offset(next))?;
    }
    client.consumer().commit(&list, CommitMode::Sync)
}
