//! Writes messages and viewer counts, in the producer's dialect or the job's.

use highwater::dataset::Fault;
use highwater::time::Time;

use super::audience::Audience;
use super::unread;
use super::words::{EMOTES, NAME_BEGINNINGS, NAME_ENDS, NEGATIVE, TEMPLATES, Template};
use crate::json::{Document, boolean, digits, escaped, hex, list, quoted, uuid};
use crate::random::{Random, Weighted};

const BITS: [u64; 8] = [1, 5, 10, 25, 50, 100, 500, 1_000];
const CLIENTS: [&str; 3] = ["web", "mobile", "desktop"];
/// How many ids users can have.
const IDS: u64 = 9_900_000;

/// What is settled of a record before it is written.
pub(super) struct Draft {
    pub(super) number: u64,
    pub(super) channel: usize,
    pub(super) time: Time,
    pub(super) fault: Option<Fault>,
    /// Random bits that decide how the fault looks.
    pub(super) shape: u64,
}

impl Draft {
    pub(super) fn document<'b>(&self, out: &'b mut Vec<u8>) -> Document<'b> {
        Document::new(out, self.fault, self.shape)
    }
}

/// What a [`Writer`] writes about.
pub(super) struct Content {
    /// How many of the templates are used.
    pub(super) templates: usize,
    /// Share of messages from the negative templates.
    pub(super) negative: f64,
    /// Population of users; 0 is a new one for each message.
    pub(super) users: u32,
    /// Whether messages and viewer counts have the job's names.
    pub(super) for_job: bool,
    /// Names of the channels; not empty.
    pub(super) channels: Vec<String>,
    pub(super) seed: u64,
    pub(super) start: Time,
}

/// Writes records.
pub(super) struct Writer {
    templates: Vec<Template>,
    negative: Vec<Template>,
    negative_share: f64,
    users: Option<Weighted>,
    for_job: bool,
    pub(super) channels: Vec<Channel>,
    start: Time,
    pub(super) types: Weighted,
    pub(super) tiers: Weighted,
}

pub(super) struct Channel {
    name: String,
    /// The name with the escapes of JSON.
    pub(super) escaped: String,
    pub(super) audience: Audience,
}

impl Writer {
    pub(super) fn new(content: Content) -> Writer {
        let channel = |(index, name): (usize, String)| Channel {
            escaped: escaped(&name),
            name,
            audience: Audience::new(content.seed, index as u64),
        };
        Writer {
            templates: TEMPLATES[..content.templates].iter().map(Template::new).collect(),
            negative: NEGATIVE.iter().map(Template::new).collect(),
            negative_share: content.negative,
            users: (0 < content.users).then(|| Weighted::zipf(content.users)),
            for_job: content.for_job,
            channels: content.channels.into_iter().enumerate().map(channel).collect(),
            start: content.start,
            types: unread::types(),
            tiers: unread::tiers(),
        }
    }

    /// How many channels there are.
    pub(super) fn channels(&self) -> u64 {
        self.channels.len() as u64
    }

    /// Name of a channel, the key of its records.
    pub(super) fn name(&self, channel: usize) -> &str {
        &self.channels[channel].name
    }

    /// Writes a message; the event time that can be read from it is returned, here as below.
    pub(super) fn message(
        &self,
        draft: &Draft,
        random: &mut Random,
        out: &mut Vec<u8>,
    ) -> Option<Time> {
        let words = Words::draw(self, random);
        let user = self.user(random);
        let badges = Badges::draw(random);
        let channel = &self.channels[draft.channel].escaped;
        if self.for_job {
            let mut document = draft.document(out);
            document.field("event_id", |out| numbered(out, "chat", draft));
            let time = document.time("timestamp", draft.time);
            document.plain("stream_id", channel);
            document.field("user_id", |out| user_id(out, user));
            document.field("username", |out| username(out, user));
            document.field("message", |out| words.message(out));
            document.field("emotes", |out| words.emotes(out));
            document.field("badges", |out| badges.write(out));
            document.end();
            return time;
        }
        let mut document = draft.document(out);
        let id = (random.bits(), random.bits());
        document.field("message_id", |out| uuid(out, id));
        document.plain("channel", channel);
        document.field("username", |out| username(out, user));
        document.field("user_id", |out| user_id(out, user));
        document.field("message", |out| words.message(out));
        document.field("emotes", |out| words.emotes(out));
        document.field("badges", |out| badges.write(out));
        document.field("is_action", |out| boolean(out, random.chance(0.05)));
        document.number("bits", words.bits);
        document.plain("sentiment_hint", words.template.hint.name());
        let time = document.time("timestamp", draft.time);
        let (client, color) = (random.pick(&CLIENTS), random.bits());
        document.field("metadata", |out| {
            out.extend_from_slice(b"{\"client\":");
            quoted(out, client);
            out.extend_from_slice(b",\"color\":\"#");
            hex(out, color, 6);
            out.extend_from_slice(b"\"}");
        });
        document.end();
        time
    }

    /// Writes a viewer count.
    pub(super) fn viewers(
        &self,
        draft: &Draft,
        random: &mut Random,
        out: &mut Vec<u8>,
    ) -> Option<Time> {
        let Channel { escaped, audience, .. } = &self.channels[draft.channel];
        let viewers = audience.viewers(draft.time);
        if self.for_job {
            let mut document = draft.document(out);
            document.field("event_id", |out| numbered(out, "viewer", draft));
            let time = document.time("timestamp", draft.time);
            document.plain("stream_id", escaped);
            document.number("viewer_count", viewers);
            document.number("unique_viewers", viewers + viewers * random.below(50) / 100);
            document.number("peak_viewers", audience.peak());
            document.end();
            return time;
        }
        let mut document = draft.document(out);
        let id = (random.bits(), random.bits());
        document.field("event_id", |out| uuid(out, id));
        document.plain("channel", escaped);
        document.number("viewer_count", viewers);
        document.number("chatter_count", viewers * random.between(5, 20) / 100);
        document.number("follower_count", audience.followers);
        document.number("subscriber_count", viewers * random.between(1, 5) / 100);
        let time = document.time("timestamp", draft.time);
        let uptime = (draft.time.seconds() - self.start.seconds()).max(0) as u64;
        document.field("metadata", |out| {
            out.extend_from_slice(b"{\"peak_today\":");
            digits(out, audience.peak());
            out.extend_from_slice(b",\"stream_uptime_seconds\":");
            digits(out, uptime);
            out.push(b'}');
        });
        document.end();
        time
    }

    /// A user, by its index.
    #[inline]
    pub(super) fn user(&self, random: &mut Random) -> u64 {
        match &self.users {
            Some(users) => users.draw(random) as u64,
            None => random.below(IDS),
        }
    }
}

/// The text of a message: a template, and what stands in its places.
pub(super) struct Words<'w> {
    template: &'w Template,
    emotes: [&'static str; 3],
    bits: u64,
}

impl<'w> Words<'w> {
    #[inline]
    pub(super) fn draw(writer: &'w Writer, random: &mut Random) -> Words<'w> {
        let negative = 0.0 < writer.negative_share && random.chance(writer.negative_share);
        let templates = if negative { &writer.negative } else { &writer.templates };
        let template = random.pick(templates);
        let mut emotes = [""; 3];
        for place in 0..template.parts.len() - 1 {
            let mut emote = *random.pick(&EMOTES);
            while emotes[..place].contains(&emote) {
                emote = *random.pick(&EMOTES);
            }
            emotes[place] = emote;
        }
        let bits = if random.chance(0.03) { *random.pick(&BITS) } else { 0 };
        Words { template, emotes, bits }
    }

    #[inline]
    pub(super) fn message(&self, out: &mut Vec<u8>) {
        out.push(b'"');
        for (index, part) in self.template.parts.iter().enumerate() {
            if 0 < index {
                out.extend_from_slice(self.emotes[index - 1].as_bytes());
            }
            out.extend_from_slice(part.as_bytes());
        }
        if 0 < self.bits {
            out.extend_from_slice(b" (cheered ");
            digits(out, self.bits);
            out.extend_from_slice(b" bits)");
        }
        out.push(b'"');
    }

    #[inline]
    fn emotes(&self, out: &mut Vec<u8>) {
        let emotes = &self.emotes[..self.template.parts.len() - 1];
        list(out, emotes, |out, emote| quoted(out, emote));
    }
}

/// The badges beside a name.
struct Badges([(&'static str, bool); 3]);

impl Badges {
    #[inline]
    fn draw(random: &mut Random) -> Badges {
        let mut worn = |badge, share| (badge, random.chance(share));
        Badges([worn("subscriber", 0.15), worn("moderator", 0.02), worn("vip", 0.01)])
    }

    #[inline]
    fn write(&self, out: &mut Vec<u8>) {
        let worn = self.0.iter().filter(|(_, worn)| *worn);
        list(out, worn, |out, (badge, _)| quoted(out, badge));
    }
}

/// The id of an event in the job's dialect.
fn numbered(out: &mut Vec<u8>, kind: &str, draft: &Draft) {
    out.push(b'"');
    out.extend_from_slice(kind.as_bytes());
    out.push(b'_');
    digits(out, draft.channel as u64);
    out.push(b'_');
    digits(out, draft.number);
    out.push(b'"');
}

/// An id of six or seven digits; users do not share one, and neighbours are far apart.
#[inline]
pub(super) fn user_id(out: &mut Vec<u8>, user: u64) {
    // 7919 is prime to the number of ids, so this is one to one.
    out.extend_from_slice(b"\"user_");
    digits(out, 100_000 + user % IDS * 7_919 % IDS);
    out.push(b'"');
}

#[inline]
pub(super) fn username(out: &mut Vec<u8>, user: u64) {
    let (begin, rest) = (user % 9, user / 9);
    let (end, more) = (rest % 5, rest / 5);
    out.push(b'"');
    out.extend_from_slice(NAME_BEGINNINGS[begin as usize].as_bytes());
    out.push(b'_');
    out.extend_from_slice(NAME_ENDS[end as usize].as_bytes());
    if 0 < more {
        digits(out, more);
    }
    out.push(b'"');
}
