//! E-commerce events: what visitors of a shop do.
//!
//! A job that understands the words of all producers takes `login` for `user_login`; nothing else
//! differs between them.
//!
//! ```text
//! event_type ← event_type, where `login` is `user_login`
//! ```
//!
//! The raw events are a view, so no field is skipped but those that nobody knows.

#[cfg(test)]
mod tests;

use highwater::codec::json::WrittenTime;
use highwater::codec::{At, Dialect, Field, Wire};
use highwater::text::Text;
use highwater::time::Time;
use serde::de::MapAccess;

/// What a visitor did. Which fields are there depends on the type; the others are NULL.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Event {
    /// Key of the record: the user, if the producer's partitioner decides.
    pub key: Option<Text>,
    /// Names the event, for `dedup`.
    pub event_id: Option<Text>,
    /// What was done: `page_view`, `purchase`, …
    pub event_type: Option<Text>,
    /// Who did it.
    pub user_id: Option<Text>,
    /// When it was done, and how that was written.
    pub timestamp: Option<WrittenTime>,
    /// `mobile`, `desktop` or `tablet`.
    pub device: Option<Text>,
    /// The country.
    pub location: Option<Text>,
    /// The visit that it is part of.
    pub session_id: Option<Text>,
    /// Of a login: `email`, `social` or `sso`.
    pub login_method: Option<Text>,
    /// Of a login: whether it succeeded.
    pub success: Option<bool>,
    /// Of a view: the page.
    pub page: Option<Text>,
    /// Of a view: where the visitor came from.
    pub referrer: Option<Text>,
    /// Of a view: how long.
    pub duration_seconds: Option<i32>,
    /// The item that is clicked, put into the cart, or reviewed.
    pub item_id: Option<Text>,
    /// The category of that item.
    pub category: Option<Text>,
    /// Of a click: the place in the list, from 1.
    pub position: Option<i32>,
    /// Fields of purchases.
    pub order: Order,
    /// Into the cart: how many.
    pub quantity: Option<i32>,
    /// Into the cart: the price of one.
    pub price: Option<f64>,
    /// Of a search: the words.
    pub search_query: Option<Text>,
    /// Of a search: how many items were found.
    pub results_count: Option<i32>,
    /// Of a search: which of them was clicked.
    pub clicked_position: Option<i32>,
    /// Of a review: from 1 to 5.
    pub rating: Option<i32>,
}

/// What a purchase has beside the fields of all events.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Order {
    /// Names the order.
    pub order_id: Option<Text>,
    /// The items.
    pub items: Option<Vec<Option<Text>>>,
    /// How many of each.
    pub quantities: Option<Vec<Option<i32>>>,
    /// What is paid, in the currency.
    pub total_amount: Option<f64>,
    /// The currency.
    pub currency: Option<Text>,
    /// How it is paid.
    pub payment_method: Option<Text>,
}

impl Event {
    /// When it was done.
    #[inline]
    pub fn time(&self) -> Option<Time> {
        self.timestamp.as_ref().and_then(WrittenTime::time)
    }

    /// Whether it is of a type.
    #[inline]
    pub fn is(&self, event_type: &str) -> bool {
        self.event_type.as_deref() == Some(event_type)
    }
}

impl Wire for Event {
    #[inline]
    fn field<'de, A: MapAccess<'de>>(
        &mut self,
        name: &str,
        field: Field<'_, A>,
    ) -> Result<(), A::Error> {
        match name {
            "event_id" => field.text(&mut self.event_id),
            "event_type" => field.text(&mut self.event_type),
            "user_id" => field.text(&mut self.user_id),
            "timestamp" => field.written_time(&mut self.timestamp),
            "device" => field.text(&mut self.device),
            "location" => field.text(&mut self.location),
            "session_id" => field.text(&mut self.session_id),
            "login_method" => field.text(&mut self.login_method),
            "success" => field.bool(&mut self.success),
            "page" => field.text(&mut self.page),
            "referrer" => field.text(&mut self.referrer),
            "duration_seconds" => field.i32(&mut self.duration_seconds),
            "item_id" => field.text(&mut self.item_id),
            "category" => field.text(&mut self.category),
            "position" => field.i32(&mut self.position),
            "quantity" => field.i32(&mut self.quantity),
            "price" => field.f64(&mut self.price),
            "search_query" => field.text(&mut self.search_query),
            "results_count" => field.i32(&mut self.results_count),
            "clicked_position" => field.i32(&mut self.clicked_position),
            "rating" => field.i32(&mut self.rating),
            _ => self.order.field(name, field),
        }
    }

    fn normalise(&mut self, dialect: Dialect, _at: At<'_>) {
        if dialect == Dialect::Auto && self.is("login") {
            self.event_type = Some(Text::const_new("user_login"));
        }
    }

    #[inline]
    fn record_key(&mut self, key: Option<&[u8]>) {
        self.key = key.map(Text::from_utf8_lossy);
    }
}

impl Order {
    #[inline]
    fn field<'de, A: MapAccess<'de>>(
        &mut self,
        name: &str,
        field: Field<'_, A>,
    ) -> Result<(), A::Error> {
        match name {
            "order_id" => field.text(&mut self.order_id),
            "items" => field.text_list(&mut self.items),
            "quantities" => field.i32_list(&mut self.quantities),
            "total_amount" => field.f64(&mut self.total_amount),
            "currency" => field.text(&mut self.currency),
            "payment_method" => field.text(&mut self.payment_method),
            _ => field.skip(),
        }
    }
}
