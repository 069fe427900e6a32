//! The rows of the chat job: what a window adds up to, and what is made of it.

use highwater::prelude::*;
use highwater_datasets::chat::Message;

use super::{Baseline, Emotes, lexicon};

/// What the messages of a window add up to.
#[derive(Clone, Debug, Default, Serialize, Deserialize, Aggregate)]
pub struct Chat {
    chat_count: Count,
    unique_chatters: Distinct<Text>,
    avg_sentiment: Mean,
    positive_count: Count,
    negative_count: Count,
    emotes: TopK<Text, 10>,
}

/// A row of the table `chat_summary_minute`.
#[derive(Clone, Debug, Serialize, Deserialize, Row)]
pub struct Summary {
    stream_id: Option<Text>,
    window: Window,
    #[row(i32)]
    chat_count: Count,
    #[row(i32)]
    unique_chatters: i64,
    avg_sentiment: f64,
    #[row(i32)]
    positive_count: Count,
    #[row(i32)]
    negative_count: Count,
    chat_rate: f64,
    avg_viewers: f64,
    top_emotes: Vec<Text>,
    z_score: Option<f64>,
    is_anomaly: bool,
}

/// A row of the table `moments`.
#[derive(Clone, Debug, Serialize, Deserialize, Row)]
pub struct Moment {
    stream_id: Option<Text>,
    timestamp: Time,
    moment_type: Text,
    description: String,
    intensity: f64,
    metadata: Json,
}

impl Chat {
    /// The aggregate of a window that holds nothing but this message.
    pub fn of(message: &Message) -> Chat {
        let sentiment = lexicon::score(message.text.as_deref().unwrap_or_default());
        Chat {
            chat_count: Count::one(),
            unique_chatters: Distinct::of(&message.user_id),
            avg_sentiment: Mean::of(sentiment),
            positive_count: Count::of(0.0 < sentiment),
            negative_count: Count::of(sentiment < 0.0),
            emotes: TopK::of(message.emotes.iter().flatten()),
        }
    }
}

impl Summary {
    /// The row of a window, before it is compared with others.
    pub fn new(
        stream_id: Option<Text>,
        window: Window,
        chat: Chat,
        viewers: Option<Mean>,
        emotes: Emotes,
    ) -> Summary {
        Summary {
            stream_id,
            window,
            chat_count: chat.chat_count,
            unique_chatters: chat.unique_chatters.get(),
            avg_sentiment: chat.avg_sentiment.get().unwrap_or(0.0),
            positive_count: chat.positive_count,
            negative_count: chat.negative_count,
            chat_rate: chat.chat_count.get() as f64 / window.seconds(),
            avg_viewers: viewers.and_then(|mean| mean.get()).unwrap_or(0.0),
            top_emotes: match emotes {
                Emotes::Frequency => chat.emotes.get(),
                Emotes::Alphabetical => alphabetical(&chat.emotes),
            },
            z_score: None,
            is_anomaly: false,
        }
    }

    /// Sets the window beside the ones before it, oldest first.
    pub fn compared_with(mut self, past: &[Summary], baseline: Baseline) -> Summary {
        let rates = past.iter().map(|summary| summary.chat_rate);
        self.z_score = if baseline.inclusive {
            stats::z_score(rates.chain([self.chat_rate]), self.chat_rate, 0.0)
        } else if past.len() < baseline.min_windows {
            None
        } else {
            // The floor is one message per window, so that a calm stream has no anomalies.
            stats::z_score(rates, self.chat_rate, 1.0 / self.window.seconds())
        };
        self.is_anomaly = self.z_score.is_some_and(|z| baseline.threshold < z);
        self
    }
}

impl Moment {
    /// The moment that a window is, if it is an anomaly.
    pub fn spike(summary: Summary) -> Option<Moment> {
        let z_score = summary.z_score.filter(|_| summary.is_anomaly)?;
        let java = stats::java_double;
        let (rate, viewers) = (java(summary.chat_rate), java(summary.avg_viewers));
        let (count, chatters) = (summary.chat_count.get(), summary.unique_chatters);
        let z = java(z_score);
        Some(Moment {
            stream_id: summary.stream_id,
            timestamp: summary.window.start,
            moment_type: "chat_spike".into(),
            description: format!("chat_rate: {rate}, z_score: {z}, chat_count: {count}"),
            intensity: summary.chat_rate,
            metadata: Json(format!(
                "{{\"chat_count\":{count},\"unique_chatters\":{chatters},\
                 \"avg_viewers\":{viewers},\"z_score\":{z}}}"
            )),
        })
    }
}

/// The first ten emotes in the alphabet, each as often as it occurs.
fn alphabetical(emotes: &TopK<Text, 10>) -> Vec<Text> {
    let mut counts: Vec<(Text, u64)> = emotes.counts();
    counts.sort();
    let repeated = counts.into_iter().flat_map(|(emote, count)| {
        std::iter::repeat_n(emote, usize::try_from(count).unwrap_or(usize::MAX).min(10))
    });
    repeated.take(10).collect()
}
