//! SH-01: every event as it came.

use highwater::prelude::*;
use highwater_datasets::shop::Event;

/// All events that can be read, also those too late for every window.
pub(super) fn raw_events(events: &Stream<Event>) {
    events.map(RawEvent::of).sink("raw_events");
}

/// A row of `raw_events`; its `processing_time` is the stamp of the sink.
#[derive(Clone, Row)]
struct RawEvent {
    key: Option<Text>,
    event_id: Option<Text>,
    event_type: Option<Text>,
    user_id: Option<Text>,
    timestamp: Option<Text>,
    device: Option<Text>,
    location: Option<Text>,
    session_id: Option<Text>,
    login_method: Option<Text>,
    success: Option<bool>,
    page: Option<Text>,
    referrer: Option<Text>,
    duration_seconds: Option<i32>,
    item_id: Option<Text>,
    category: Option<Text>,
    position: Option<i32>,
    order_id: Option<Text>,
    items: Option<Vec<Option<Text>>>,
    /// NULL if one of them is none.
    quantities: Option<Vec<i32>>,
    total_amount: Option<f64>,
    currency: Option<Text>,
    payment_method: Option<Text>,
    quantity: Option<i32>,
    price: Option<f64>,
    search_query: Option<Text>,
    results_count: Option<i32>,
    clicked_position: Option<i32>,
    event_time: Option<Time>,
}

impl RawEvent {
    fn of(event: &Event) -> RawEvent {
        let order = event.order.clone();
        let quantities = order.quantities.and_then(|all| all.into_iter().collect());
        RawEvent {
            key: event.key.clone(),
            event_id: event.event_id.clone(),
            event_type: event.event_type.clone(),
            user_id: event.user_id.clone(),
            timestamp: event.timestamp.as_ref().map(|timestamp| timestamp.text()),
            device: event.device.clone(),
            location: event.location.clone(),
            session_id: event.session_id.clone(),
            login_method: event.login_method.clone(),
            success: event.success,
            page: event.page.clone(),
            referrer: event.referrer.clone(),
            duration_seconds: event.duration_seconds,
            item_id: event.item_id.clone(),
            category: event.category.clone(),
            position: event.position,
            order_id: order.order_id,
            items: order.items,
            quantities,
            total_amount: order.total_amount,
            currency: order.currency,
            payment_method: order.payment_method,
            quantity: event.quantity,
            price: event.price,
            search_query: event.search_query.clone(),
            results_count: event.results_count,
            clicked_position: event.clicked_position,
            event_time: event.time(),
        }
    }
}
