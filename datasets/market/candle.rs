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
        let millis = |count: Option<i64>| count.and_then(timestamp::from_millis);
        match name {
            "timestamp" => {
                let count = field.i64()?;
                self.open_time = count.and_then(|count| timestamp::from_number(count, true));
            }
            "snapshot_time" => self.snapshot_time = millis(field.i64()?),
            "close_time" => self.close_time = millis(field.i64()?),
            "symbol" => self.symbol = field.text()?,
            "open" => self.open = field.f64()?,
            "high" => self.high = field.f64()?,
            "low" => self.low = field.f64()?,
            "close" => self.close = field.f64()?,
            "volume" => self.volume = field.f64()?,
            "quote_asset_volume" => self.quote_asset_volume = field.f64()?,
            "taker_buy_base" => self.taker_buy_base = field.f64()?,
            "taker_buy_quote" => self.taker_buy_quote = field.f64()?,
            _ => field.skip()?,
        }
        Ok(())
    }
}
