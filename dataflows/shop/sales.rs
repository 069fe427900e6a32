//! SH-04 and SH-07: what is bought, and what buyers think of it.

use highwater::prelude::*;
use highwater_datasets::shop::Event;

/// Orders and revenue of each ten minutes.
pub(super) fn purchase_metrics(events: &Stream<Event>) {
    events
        .filter(|event| event.is("purchase"))
        .window(Tumbling::new(minutes(10)))
        .accumulate(Purchases::of)
        .rows(|(), window, purchases| PurchaseMetrics { window, purchases })
        .sink("purchase_metrics");
}

/// How each item is rated.
pub(super) fn review_metrics(events: &Stream<Event>) {
    events
        .filter(|event| event.is("product_review"))
        .key_by(|event| event.item_id.clone())
        .window(Tumbling::new(minutes(10)))
        .accumulate(Reviews::of)
        .rows(|item_id, window, reviews| ReviewMetrics { window, item_id, reviews })
        .sink("review_metrics");
}

/// What purchases add up to.
#[derive(Clone, Debug, Default, Serialize, Deserialize, Aggregate, Row)]
struct Purchases {
    total_orders: Count,
    total_revenue: Sum<f64>,
    avg_order_value: Mean,
    max_order_value: Max<f64>,
    min_order_value: Min<f64>,
    unique_buyers: Distinct<Text>,
}

/// A row of `purchase_metrics`.
#[derive(Clone, Row)]
struct PurchaseMetrics {
    window: Window,
    purchases: Purchases,
}

/// What reviews add up to.
#[derive(Clone, Debug, Default, Serialize, Deserialize, Aggregate, Row)]
struct Reviews {
    review_count: Count,
    #[row(round2)]
    avg_rating: Mean,
    five_star: Count,
    one_star: Count,
    unique_reviewers: Distinct<Text>,
}

/// A row of `review_metrics`.
#[derive(Clone, Row)]
struct ReviewMetrics {
    window: Window,
    item_id: Option<Text>,
    reviews: Reviews,
}

impl Purchases {
    fn of(purchase: &Event) -> Purchases {
        let amount = purchase.order.total_amount;
        Purchases {
            total_orders: Count::one(),
            total_revenue: Sum::of(amount),
            avg_order_value: Mean::of(amount),
            max_order_value: Max::of(amount),
            min_order_value: Min::of(amount),
            unique_buyers: Distinct::of(&purchase.user_id),
        }
    }
}

impl Reviews {
    fn of(review: &Event) -> Reviews {
        Reviews {
            review_count: Count::one(),
            avg_rating: Mean::of(review.rating),
            five_star: Count::of(review.rating == Some(5)),
            one_star: Count::of(review.rating == Some(1)),
            unique_reviewers: Distinct::of(&review.user_id),
        }
    }
}
