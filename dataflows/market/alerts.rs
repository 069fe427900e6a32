//! When something is worth an alert: the thresholds of the system, each the parameter
//! `alerts.<name>`.

use highwater::prelude::*;

/// The alerts, and of which number each speaks; all are about a minute of a symbol or market.
#[derive(Clone, Copy, Debug)]
pub struct Alerts {
    /// The standard deviation of the price as a share of the average price.
    pub(super) volatility: Alert,
    /// How far the average price is from that of the minute before, as a share of it.
    pub(super) price_move: Alert,
    /// The average sentiment, from 0 to 1.
    pub(super) sentiment_high: Alert,
    /// The same, when it is low.
    pub(super) sentiment_low: Alert,
    /// The average imbalance of the books to either side, from 0 to 1.
    pub(super) imbalance: Alert,
    /// The average spread of the books, in units of probability.
    pub(super) spread: Alert,
    /// For how many seconds no candle of a symbol has come, by the clock.
    pub(super) silence: Silence,
}

impl Alerts {
    pub(super) fn read(flow: &Flow, parameters: &mut Parameters) -> Result<Alerts> {
        let mut alerts = flow.alerts(parameters)?;
        Ok(Alerts {
            volatility: alerts.above("market.volatility", 0.002)?,
            price_move: alerts.above("market.price_move", 0.01)?,
            sentiment_high: alerts.above("market.sentiment_high", 0.8)?,
            sentiment_low: alerts.below("market.sentiment_low", 0.2)?,
            imbalance: alerts.above("market.imbalance", 0.8)?,
            spread: alerts.above("market.spread", 0.05)?,
            silence: alerts.silence("market.silence", 60.0)?,
        })
    }
}
