//! [`Candle`]: the running minute of a symbol, as it was captured.

use highwater::codec::{Field, Wire, timestamp};
use highwater::text::Text;
use highwater::time::Time;
use serde::de::MapAccess;

/// A snapshot of a one-minute candle. Volumes grow until the candle is closed.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Candle {
    /// When the candle opens; `timestamp` on the wire, in any unit since 1970.
    pub open_time: Option<Time>,
    /// When it was captured: the event time.
    pub snapshot_time: Option<Time>,
    /// Its last millisecond.
    pub close_time: Option<Time>,
    /// What is traded: `BTCUSDT`, …
    pub symbol: Option<Text>,
    /// The first price.
    pub open: Option<f64>,
    /// The greatest price.
    pub high: Option<f64>,
    /// The least price.
    pub low: Option<f64>,
    /// The last price.
    pub close: Option<f64>,
    /// What was traded so far, in units of the symbol.
    pub volume: Option<f64>,
    /// The same in USDT.
    pub quote_asset_volume: Option<f64>,
    /// What takers bought of `volume`.
    pub taker_buy_base: Option<f64>,
    /// What takers bought of `quote_asset_volume`.
    pub taker_buy_quote: Option<f64>,
}

impl Candle {
    /// Which part of the volume takers bought: 0.5 is neutral; `None` without a volume.
    #[inline]
    pub fn sentiment(&self) -> Option<f64> {
        let volume = self.quote_asset_volume.filter(|volume| 0.0 < *volume)?;
        Some(self.taker_buy_quote? / volume).filter(|sentiment| sentiment.is_finite())
    }
}

impl Wire for Candle {
    const ARRAY: bool = true;

    #[inline]
    fn field<'de, A: MapAccess<'de>>(
        &mut self,
        name: &str,
        field: Field<'_, A>,
    ) -> Result<(), A::Error> {
        let open = |count| timestamp::from_number(count, true);
        match name {
            "timestamp" => time_of(field, &mut self.open_time, open)?,
            "snapshot_time" => time_of(field, &mut self.snapshot_time, timestamp::from_millis)?,
            "close_time" => time_of(field, &mut self.close_time, timestamp::from_millis)?,
            "symbol" => field.text(&mut self.symbol)?,
            "open" => field.f64(&mut self.open)?,
            "high" => field.f64(&mut self.high)?,
            "low" => field.f64(&mut self.low)?,
            "close" => field.f64(&mut self.close)?,
            "volume" => field.f64(&mut self.volume)?,
            "quote_asset_volume" => field.f64(&mut self.quote_asset_volume)?,
            "taker_buy_base" => field.f64(&mut self.taker_buy_base)?,
            "taker_buy_quote" => field.f64(&mut self.taker_buy_quote)?,
            _ => field.skip()?,
        }
        Ok(())
    }
}

/// Reads a time that is written as a number.
fn time_of<'de, A: MapAccess<'de>>(
    field: Field<'_, A>,
    into: &mut Option<Time>,
    time: impl FnOnce(i64) -> Option<Time>,
) -> Result<(), A::Error> {
    let mut number = None;
    field.i64(&mut number)?;
    *into = number.and_then(time);
    Ok(())
}
