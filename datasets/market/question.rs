//! [`Question`]: what a prediction market asks.

use highwater::codec::{At, Dialect, Field, Wire};
use highwater::text::Text;
use serde::de::MapAccess;
use serde::{Deserialize, Serialize};

/// The description of a market, as the Gamma API has it: an event with its market within, or a
/// market alone.
///
/// ```text
/// {"slug": "btc-updown-15m-1767225600", "title": …, "markets": [{"conditionId": "0x…"}]}
/// {"slug": …, "question": …, "conditionId": "0x…"}
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Question {
    /// Which market: `conditionId` on the wire, of the first market of an event.
    pub market_id: Option<Text>,
    /// Its name in addresses; begins with the symbol, as `btc-updown-15m-1767225600` does.
    pub slug: Option<Text>,
    /// The question; `title` of an event.
    pub question: Option<Text>,
    #[serde(skip)]
    markets: Option<Vec<Market>>,
}

#[derive(Clone, Debug, Default, PartialEq)]
struct Market {
    id: Option<Text>,
    slug: Option<Text>,
    question: Option<Text>,
}

impl Question {
    /// The symbol whose price the market is about, if it says so: `BTCUSDT` of `btc-…`.
    pub fn symbol(&self) -> Option<Text> {
        let (coin, _) = self.slug.as_deref()?.split_once('-')?;
        let known = ["btc", "eth", "sol", "xrp"].contains(&coin);
        known.then(|| Text::from(format!("{}USDT", coin.to_ascii_uppercase())))
    }
}

impl Wire for Question {
    fn field<'de, A: MapAccess<'de>>(
        &mut self,
        name: &str,
        field: Field<'_, A>,
    ) -> Result<(), A::Error> {
        match name {
            "conditionId" | "market" => field.text(&mut self.market_id),
            "slug" => field.text(&mut self.slug),
            "question" | "title" => field.text(&mut self.question),
            "markets" => field.objects(&mut self.markets),
            _ => field.skip(),
        }
    }

    fn normalise(&mut self, _dialect: Dialect, _at: At<'_>) {
        let Some(market) = self.markets.take().and_then(|all| all.into_iter().next()) else {
            return;
        };
        self.market_id = self.market_id.take().or(market.id);
        self.slug = self.slug.take().or(market.slug);
        self.question = market.question.or(self.question.take());
    }
}

impl Wire for Market {
    fn field<'de, A: MapAccess<'de>>(
        &mut self,
        name: &str,
        field: Field<'_, A>,
    ) -> Result<(), A::Error> {
        match name {
            "conditionId" => field.text(&mut self.id),
            "slug" => field.text(&mut self.slug),
            "question" => field.text(&mut self.question),
            _ => field.skip(),
        }
    }
}
