//! The control dataflow of checkpoints: what agents of workers say to each other.
//!
//! ```text
//! agent ─ part of an epoch ═► worker 0 ─► manifest ─ published ═► all agents
//! ```
//!
//! It has one input and one operator that routes by the index of a worker; its time counts the
//! steps and means nothing.

use std::cell::OnceCell;
use std::rc::Rc;
use std::sync::Arc;

use timely::container::CapacityContainerBuilder;
use timely::dataflow::channels::pact::Exchange;
use timely::dataflow::operators::generic::Operator;
use timely::dataflow::operators::{Input, Probe};
use timely::dataflow::{InputHandle, ProbeHandle};
use timely::worker::Worker;

use crate::checkpoint::{Agent, Checkpoints, Keeper, Note};
use crate::error::Result;
use crate::host::Host;
use crate::runtime::Failure;

type Notes = InputHandle<u64, CapacityContainerBuilder<Vec<(usize, Note)>>>;

/// A worker's end of the control dataflow of one job.
pub struct CheckpointExchange {
    agent: Rc<Agent>,
    input: Option<Notes>,
    probe: ProbeHandle<u64>,
}

impl CheckpointExchange {
    /// Builds the dataflow; on every worker at the same place in the order of dataflows.
    ///
    /// # Errors
    ///
    /// The system refuses another thread.
    pub fn new(
        worker: &mut Worker,
        checkpoints: &Arc<Checkpoints>,
        (host, failure): (&Host, &Failure),
    ) -> Result<CheckpointExchange> {
        let seat = (worker.index(), worker.peers());
        let (mut input, probe) = (InputHandle::new_with_builder(), ProbeHandle::new());
        // Set once the keeper of the agent can wake the operator.
        let agent: Rc<OnceCell<Rc<Agent>>> = Rc::default();
        let (hears, mut address) = (agent.clone(), Vec::new());
        worker.dataflow_named("checkpoints", |scope| {
            let notes = scope.input_from(&mut input);
            let route = Exchange::new(|(to, _): &(usize, Note)| *to as u64);
            notes
                .unary::<CapacityContainerBuilder<Vec<()>>, _, _, _>(route, "agents", |_, info| {
                    address = info.address.to_vec();
                    move |input, _| {
                        input.for_each(|_, notes: &mut Vec<(usize, Note)>| {
                            let agent = hears.get().expect("set before the first step");
                            notes.drain(..).for_each(|(_, note)| agent.hear(note));
                        });
                    }
                })
                .probe_with(&probe);
        });
        let activator = worker.sync_activator_for(address);
        let wake = move || {
            // When the worker has ended, nobody needs waking.
            let _ = activator.activate();
        };
        let keeper = Keeper::start(host, checkpoints.clone(), (seat.0, failure.clone()), wake)?;
        let own = Rc::new(Agent::new(host.clone(), checkpoints.clone(), seat, keeper));
        let agent = agent.get_or_init(|| own).clone();
        Ok(CheckpointExchange { agent, input: Some(input), probe })
    }

    /// The agent of this worker.
    pub fn agent(&self) -> &Rc<Agent> {
        &self.agent
    }

    /// Says what there is to say.
    pub fn step(&mut self) {
        let Some(input) = &mut self.input else { return };
        let notes = self.agent.outgoing();
        if notes.is_empty() {
            return;
        }
        notes.into_iter().for_each(|note| input.send(note));
        // Without a step in time the exchange would keep them in its buffers.
        let next = input.time() + 1;
        input.advance_to(next);
    }

    /// The input of the job has ended: closes once the last manifest is published. Called again and
    /// again.
    pub fn end(&mut self) {
        if self.agent.is_over() {
            self.input = None;
        }
    }

    /// Everything that was read is in a checkpoint already.
    pub fn close(&mut self) {
        self.input = None;
    }

    /// Whether all workers have closed it.
    pub fn is_done(&self) -> bool {
        self.probe.done()
    }
}
