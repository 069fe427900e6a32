//! SH-06: from which devices and places visitors come.

use highwater::prelude::*;
use highwater_datasets::shop::Event;

/// Visitors by device and location.
pub(super) fn device_stats(events: &Stream<Event>) {
    visitors(events).rows(DeviceStats::new).sink("device_stats");
}

/// The same with the window as one column of two parts.
pub(super) fn device_stats_in_struct(events: &Stream<Event>) {
    visitors(events).rows(DeviceStatsInStruct::new).sink("device_stats");
}

/// A device, and a country.
type Place = (Option<Text>, Option<Text>);

fn visitors(events: &Stream<Event>) -> Windowed<Place, Visitors> {
    events
        .key_by(|event| (event.device.clone(), event.location.clone()))
        .window(Tumbling::new(minutes(10)))
        .accumulate(Visitors::of)
}

/// How many events, users and sessions.
#[derive(Clone, Debug, Default, Serialize, Deserialize, Aggregate, Row)]
struct Visitors {
    event_count: Count,
    unique_users: Distinct<Text>,
    unique_sessions: Distinct<Text>,
}

/// A row of `device_stats`.
#[derive(Clone, Row)]
struct DeviceStats {
    window: Window,
    device: Option<Text>,
    location: Option<Text>,
    visitors: Visitors,
}

/// A row of `device_stats` as the replaced system has it.
#[derive(Clone, Row)]
struct DeviceStatsInStruct {
    #[row(rename = "window.start")]
    start: Time,
    #[row(rename = "window.end")]
    end: Time,
    device: Option<Text>,
    location: Option<Text>,
    visitors: Visitors,
}

impl Visitors {
    fn of(event: &Event) -> Visitors {
        Visitors {
            event_count: Count::one(),
            unique_users: Distinct::of(&event.user_id),
            unique_sessions: Distinct::of(&event.session_id),
        }
    }
}

impl DeviceStats {
    fn new((device, location): Place, window: Window, visitors: Visitors) -> DeviceStats {
        DeviceStats { window, device, location, visitors }
    }
}

impl DeviceStatsInStruct {
    fn new((device, location): Place, window: Window, visitors: Visitors) -> DeviceStatsInStruct {
        let Window { start, end } = window;
        DeviceStatsInStruct { start, end, device, location, visitors }
    }
}
