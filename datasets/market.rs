//! Markets: candles of Binance, and what happens on Polymarket.
//!
//! ```text
//! binance              an array of candles (or one): prices, volumes so far, milliseconds
//! polymarket_trade     a message (or an array): a book, a trade, or a change; numbers are texts
//! polymarket_metadata  what a market asks, by its id
//! ```
//!
//! What no view reads (hashes, fee rates, token ids, …) is skipped, not kept.

mod candle;
mod message;
mod question;
#[cfg(test)]
mod tests;

pub use candle::Candle;
pub use message::{Depth, Level, Message, Number, Quote};
pub use question::Question;
