//! Windows over plays of videos.

use highwater::prelude::*;
use highwater_bench::workloads::plays::Play;

use crate::start_ms;

/// Events of each video and minute.
pub(crate) fn count(flow: &Flow, _: &mut Parameters) -> Result<()> {
    #[derive(Clone, Row)]
    struct Counted {
        key: Option<Text>,
        start: i64,
        events: Count,
    }
    flow.source("plays", seconds(10), |play: &Play| play.timestamp)
        .key_by(|play| play.video_id.clone())
        .window(Tumbling::new(minutes(1)))
        .accumulate(|_| Count::one())
        .rows(|key, window, events| Counted { key, start: start_ms(window), events })
        .updates()
        .sink("rows");
    Ok(())
}

/// Events and distinct users of each kind, in five minutes, every minute.
pub(crate) fn distinct(flow: &Flow, _: &mut Parameters) -> Result<()> {
    #[derive(Clone, Row)]
    struct Counted {
        key: Option<Text>,
        start: i64,
        events: Count,
        users: i64,
    }
    flow.source("plays", seconds(10), |play: &Play| play.timestamp)
        .key_by(|play| play.event_type.clone())
        .window(Sliding::new(minutes(5), minutes(1)))
        .accumulate(|play| (Count::one(), Distinct::of(&play.user_id)))
        .rows(|key, window, (events, users)| {
            let users: Distinct<Text> = users;
            Counted { key, start: start_ms(window), events, users: users.get() }
        })
        .updates()
        .sink("rows");
    Ok(())
}

/// Events of each video in ten seconds, and when the latest of them was planned.
pub(crate) fn latest(flow: &Flow, _: &mut Parameters) -> Result<()> {
    #[derive(Clone, Row)]
    struct Counted {
        key: Option<Text>,
        start: i64,
        events: Count,
        planned_us: Max<i64>,
    }
    flow.source("plays", seconds(10), |play: &Play| play.timestamp)
        .key_by(|play| play.video_id.clone())
        .window(Tumbling::new(seconds(10)))
        .accumulate(|play| (Count::one(), Max::of(play.planned_us)))
        .rows(|key, window, (events, planned_us)| Counted {
            key,
            start: start_ms(window),
            events,
            planned_us,
        })
        .updates()
        .sink("rows");
    Ok(())
}
