//! The chat system in scripts: its events in a line, as JSON; its views.
//!
//! ```text
//! chat        12:00:05 s1 ann "love this pog" Kappa,LUL     time stream user text emotes
//! viewers     12:00:05 s1 120                               time stream count
//! ```
//!
//! `-` is null; emotes that are not there are an empty list. `chat producer` and `viewers
//! producer` are the ports in the producer's dialect. A line that begins with `{` is a record as
//! it stands.

use serde_json::{Value, json};

use super::play::System;
use super::script::words;
use super::shown::View;

/// The system.
pub(super) const CHAT: System = System {
    folder: "chat",
    ports: &["chat", "viewers"],
    record,
    entry: highwater_dataflows::chat::entry,
    views: &[
        View {
            name: "chat_summary_minute",
            key: &["stream_id", "window"],
            columns: &["chat_count", "avg_sentiment", "avg_viewers", "z_score"],
        },
        View { name: "moments", key: &["stream_id", "timestamp"], columns: &["description"] },
    ],
};

/// Key and value of the record that a line stands for.
fn record(port: &str, line: &str) -> Result<(String, String), String> {
    if line.starts_with('{') {
        return Ok((String::new(), line.into()));
    }
    let words = words(line);
    let mut words = words.iter().map(String::as_str);
    let mut next = |what: &str| words.next().ok_or(format!("{what} is missing"));
    let (time, stream) = (next("the time")?, next("the stream")?);
    let document = match port {
        "chat" | "chat producer" => {
            let (user, message) = (next("the user")?, next("the text")?);
            let emotes = next("the emotes").ok();
            message_of(port == "chat", [time, stream, user, message], emotes)?
        }
        "viewers" | "viewers producer" => {
            let count: i32 = next("the count")?.parse().map_err(|_| "the count is no number")?;
            let at = timestamp(time);
            match port {
                "viewers" => json!({ "event_id": format!("viewer_{time}"), "timestamp": at?,
                    "stream_id": text(stream), "viewer_count": count }),
                _ => json!({ "event_id": format!("v-{time}"), "channel": text(stream),
                    "viewer_count": count, "chatter_count": count / 10, "timestamp": at?,
                    "metadata": { "peak_today": count, "stream_uptime_seconds": 60 } }),
            }
        }
        _ => return Err(format!("there is no port `{port}`")),
    };
    match words.next() {
        None => Ok((stream.into(), document.to_string())),
        Some(word) => Err(format!("`{word}` is too much")),
    }
}

fn message_of(
    for_job: bool,
    [time, stream, user, message]: [&str; 4],
    emotes: Option<&str>,
) -> Result<Value, String> {
    let emotes = match emotes {
        None => json!([]),
        Some("-") => Value::Null,
        Some(emotes) => emotes.split(',').collect(),
    };
    let message: Value = match message {
        "-" => Value::Null,
        quoted => serde_json::from_str(quoted).map_err(|_| "the text stands in no quotes")?,
    };
    let (stream, user, name) = (text(stream), text(user), user);
    let at = timestamp(time)?;
    Ok(match for_job {
        true => json!({ "event_id": format!("chat_{name}_{time}"), "timestamp": at,
            "stream_id": stream, "user_id": user, "username": name, "message": message,
            "emotes": emotes, "badges": ["vip"] }),
        false => json!({ "message_id": format!("{name}-{time}"), "channel": stream,
            "username": name, "user_id": user, "message": message, "emotes": emotes,
            "badges": [], "is_action": false, "bits": 0, "sentiment_hint": "neutral",
            "timestamp": at, "metadata": { "client": "web", "color": "#00ff00" } }),
    })
}

fn text(word: &str) -> Value {
    if word == "-" { Value::Null } else { word.into() }
}

/// The time as the producer writes it.
fn timestamp(word: &str) -> Result<Value, String> {
    if word == "-" {
        return Ok(Value::Null);
    }
    let time = super::script::clock(word).ok_or(format!("`{word}` is no time"))?;
    Ok(time.to_string().replace('Z', "+00:00").into())
}
