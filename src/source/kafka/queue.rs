//! The raw calls to librdkafka, and the only `unsafe` of the Kafka source: batch reads of one
//! partition's queue, cached watermarks, the id of a topic.
//!
//! A batch read costs half the CPU of a poll per message. A [`Queue`] is cut off from the
//! consumer's own queue *before* the partition is assigned: librdkafka keeps a forwarding that the
//! application has set, so no message can slip into the consumer's queue in between.
//!
//! Order of destruction, kept by `Drop` and the order of fields: messages → callback off → queue →
//! closure that the callback used → client.
#![allow(unsafe_code)]

use std::ffi::{CStr, CString, c_void};
use std::marker::PhantomData;
use std::ops::Range;
use std::ptr::{self, NonNull};
use std::slice;
use std::sync::Arc;
use std::time::Duration;

use rdkafka::bindings as raw;
use rdkafka::types::RDKafkaRespErr;

use super::client::Client;
use crate::source::Wake;

/// Messages taken from librdkafka at once: enough to make its lock cheap, and 8 KiB of pointers.
const TAKE_MAX: usize = 1_024;

/// The queue of one partition, cut off from the consumer's.
pub(super) struct Queue {
    queue: NonNull<raw::rd_kafka_queue_t>,
    /// Taken from the queue and not yet given away: the cells of `ready`, and only those, are
    /// messages that this value owns.
    taken: Box<[*mut raw::rd_kafka_message_t; TAKE_MAX]>,
    ready: Range<usize>,
    topic: CString,
    partition: i32,
    /// Boxed, because the callback keeps its address while the queue moves. Declared behind the
    /// queue and before the client: fields are dropped in this order, after `Drop::drop`.
    wake: Box<Wake>,
    client: Arc<Client>,
}

/// A message, owned until it is dropped; its bytes are valid until then.
pub(super) struct Message<'q> {
    message: NonNull<raw::rd_kafka_message_t>,
    /// Borrows the queue, so that no message outlives its client.
    queue: PhantomData<&'q Queue>,
}

/// Called by a thread of librdkafka when the queue was empty and is no longer. The queue is locked
/// meanwhile, so the closure must not call librdkafka; a wake only unparks a worker.
unsafe extern "C" fn nonempty(_: *mut raw::rd_kafka_t, opaque: *mut c_void) {
    // SAFETY: `opaque` is the address of the `Box<Wake>` in a living `Queue`: its `Drop` switches
    // the callback off, under the queue's lock, before the box is freed. `Wake` is `Sync`.
    let wake = unsafe { &*opaque.cast::<Wake>() };
    wake();
}

impl Queue {
    /// Cuts the queue of a partition off from the consumer's; to be called before the partition is
    /// assigned. `None` if librdkafka knows no such partition.
    pub(super) fn cut(client: &Arc<Client>, topic: &str, number: u32, wake: Wake) -> Option<Queue> {
        let topic = CString::new(topic).ok()?;
        let partition = i32::try_from(number).ok()?;
        let queue = Queue {
            queue: get(client, &topic, partition)?,
            taken: Box::new([ptr::null_mut(); TAKE_MAX]),
            ready: 0..0,
            topic,
            partition,
            wake: Box::new(wake),
            client: client.clone(),
        };
        queue.enable();
        Some(queue)
    }

    /// Cuts the queue off once more, before the partition is assigned again; what was in it is
    /// dropped. `None` if librdkafka no longer knows the partition.
    pub(super) fn cut_again(&mut self) -> Option<()> {
        let fresh = get(&self.client, &self.topic, self.partition)?;
        // The old one first: both may be the same queue, which has only one callback.
        self.release();
        self.queue = fresh;
        self.enable();
        Some(())
    }

    fn enable(&self) {
        let opaque = ptr::from_ref::<Wake>(&self.wake).cast_mut().cast::<c_void>();
        // SAFETY: the queue is alive. Without a destination messages stay in it. `opaque` stays
        // valid until the callback is switched off by `release`, which `Drop` calls.
        unsafe {
            raw::rd_kafka_queue_forward(self.queue.as_ptr(), ptr::null_mut());
            raw::rd_kafka_queue_cb_event_enable(self.queue.as_ptr(), Some(nonempty), opaque);
        }
    }

    /// Gives the messages and the queue back; the queue must not be used behind it.
    fn release(&mut self) {
        for index in self.ready.by_ref() {
            // SAFETY: the cells of `ready` are messages that we own and have not given away.
            unsafe { raw::rd_kafka_message_destroy(self.taken[index]) };
        }
        // SAFETY: the queue is alive until the second call, which gives our reference back. After
        // the first one no thread is in the callback, nor will be: it runs under the queue's lock.
        unsafe {
            raw::rd_kafka_queue_cb_event_enable(self.queue.as_ptr(), None, ptr::null_mut());
            raw::rd_kafka_queue_destroy(self.queue.as_ptr());
        }
    }

    /// The next message that is there, without waiting. After `None` the callback will fire.
    pub(super) fn next(&mut self) -> Option<Message<'_>> {
        if self.ready.is_empty() {
            // SAFETY: the queue is alive, and `taken` has room for as many pointers as are asked
            // for. What it held before has been given away. A time-out of zero does not wait.
            let count = unsafe {
                let cells = self.taken.as_mut_ptr();
                raw::rd_kafka_consume_batch_queue(self.queue.as_ptr(), 0, cells, TAKE_MAX)
            };
            // -1 is an error of the call itself; it cannot happen with a living queue.
            self.ready = 0..usize::try_from(count).unwrap_or(0).min(TAKE_MAX);
        }
        let index = self.ready.next()?;
        Some(Message { message: NonNull::new(self.taken[index])?, queue: PhantomData })
    }

    /// Offset of the first record, and of the next one that will be written, as the last answer to
    /// a fetch had them; `None` before the first answer. Asks nobody.
    pub(super) fn watermarks(&self) -> Option<(i64, i64)> {
        let (mut low, mut high) = (-1, -1);
        // SAFETY: the client is alive, `topic` ends with a NUL, and both numbers outlive the call.
        let code = unsafe {
            let (client, topic) = (self.client.native(), self.topic.as_ptr());
            raw::rd_kafka_get_watermark_offsets(client, topic, self.partition, &mut low, &mut high)
        };
        (code == RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR && 0 <= high).then_some((low, high))
    }
}

impl Drop for Queue {
    fn drop(&mut self) {
        self.release();
    }
}

/// The queue of a partition; the reference that is returned is the caller's to destroy.
fn get(client: &Client, topic: &CStr, partition: i32) -> Option<NonNull<raw::rd_kafka_queue_t>> {
    // SAFETY: the client is alive, and `topic` ends with a NUL.
    let queue =
        unsafe { raw::rd_kafka_queue_get_partition(client.native(), topic.as_ptr(), partition) };
    NonNull::new(queue)
}

impl Message<'_> {
    fn raw(&self) -> &raw::rd_kafka_message_t {
        // SAFETY: the message is ours until it is dropped, and nobody writes to it.
        unsafe { self.message.as_ref() }
    }

    /// No error, the end of the partition, or what went wrong with the partition.
    pub(super) fn code(&self) -> RDKafkaRespErr {
        self.raw().err
    }

    /// Its offset; that of the next record at the end of the partition.
    pub(super) fn offset(&self) -> i64 {
        self.raw().offset
    }

    /// Its key.
    pub(super) fn key(&self) -> Option<&[u8]> {
        let message = self.raw();
        self.bytes(message.key, message.key_len)
    }

    /// Its value, or the sentence of an error.
    pub(super) fn value(&self) -> Option<&[u8]> {
        let message = self.raw();
        self.bytes(message.payload, message.len)
    }

    /// When it was made or appended, in milliseconds, if the broker says so.
    pub(super) fn timestamp(&self) -> Option<i64> {
        // SAFETY: the message is alive; librdkafka allows no place for the kind of the timestamp.
        let millis =
            unsafe { raw::rd_kafka_message_timestamp(self.message.as_ptr(), ptr::null_mut()) };
        (0 <= millis).then_some(millis)
    }

    fn bytes(&self, start: *mut c_void, len: usize) -> Option<&[u8]> {
        // SAFETY: librdkafka gives a pointer to `len` bytes that live and stay as they are until
        // the message is destroyed, or null where there is no key or value.
        (!start.is_null()).then(|| unsafe { slice::from_raw_parts(start.cast::<u8>(), len) })
    }
}

impl Drop for Message<'_> {
    fn drop(&mut self) {
        // SAFETY: the message is ours, and `next` gave it away once.
        unsafe { raw::rd_kafka_message_destroy(self.message.as_ptr()) };
    }
}

/// The id of a topic, which a topic of the same name that is created anew does not have; `None` if
/// nobody answers in time. Waits for the answer.
pub(super) fn topic_id(client: &Client, topic: &str, timeout: Duration) -> Option<(i64, i64)> {
    let topic = CString::new(topic).ok()?;
    let mut names = [topic.as_ptr()];
    let millis = i32::try_from(timeout.as_millis()).unwrap_or(i32::MAX);
    // SAFETY: the client and the array of names live throughout. Each object that is made here is
    // destroyed here, once, after its last use; the description belongs to the event.
    unsafe {
        let queue = raw::rd_kafka_queue_new(client.native());
        let kind = raw::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DESCRIBETOPICS;
        let options = raw::rd_kafka_AdminOptions_new(client.native(), kind);
        raw::rd_kafka_AdminOptions_set_request_timeout(options, millis, ptr::null_mut(), 0);
        let wanted = raw::rd_kafka_TopicCollection_of_topic_names(names.as_mut_ptr(), names.len());
        raw::rd_kafka_DescribeTopics(client.native(), wanted, options, queue);
        let event = raw::rd_kafka_queue_poll(queue, millis);
        let id = read_topic_id(event);
        if !event.is_null() {
            raw::rd_kafka_event_destroy(event);
        }
        raw::rd_kafka_TopicCollection_destroy(wanted);
        raw::rd_kafka_AdminOptions_destroy(options);
        raw::rd_kafka_queue_destroy(queue);
        id
    }
}

/// The id in the answer to a question about one topic.
///
/// # Safety
///
/// `event` is null or an event that lives through the call.
unsafe fn read_topic_id(event: *mut raw::rd_kafka_event_t) -> Option<(i64, i64)> {
    // SAFETY: librdkafka answers null for an event that is null or of another kind; the
    // descriptions are `count` pointers that live as long as the event.
    unsafe {
        let result = raw::rd_kafka_event_DescribeTopics_result(event);
        if event.is_null() || result.is_null() {
            return None;
        }
        let mut count = 0;
        let topics = raw::rd_kafka_DescribeTopics_result_topics(result, &mut count);
        if topics.is_null() || count != 1 {
            return None;
        }
        let id = raw::rd_kafka_TopicDescription_topic_id(*topics);
        if id.is_null() {
            return None;
        }
        let parts = (
            raw::rd_kafka_Uuid_most_significant_bits(id),
            raw::rd_kafka_Uuid_least_significant_bits(id),
        );
        // Brokers older than 2.8 give topics no id.
        (parts != (0, 0)).then_some(parts)
    }
}
