//! The queries of NEXMark that engines answer, and their rows as values that can be compared,
//! whichever engine has written them.

use std::fmt;

use highwater::error::{Error, Result};
use serde::{Deserialize, Serialize};

/// A query. Windows are shown as `start`, in milliseconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Query {
    /// Bids as they are.
    Q0,
    /// Bids with their prices in another currency, exactly.
    Q1,
    /// Bids on one auction in 123.
    Q2,
    /// The auctions with the most bids in 10 s, every 2 s; all of them, if they are equal.
    Q5,
    /// The highest bids of 10 s, both ends of which count; all of them, if they are equal.
    Q7,
    /// Who came and opened an auction in the same 10 s.
    Q8,
    /// Bids of each bidder without a silence longer than 10 s.
    Q11,
}

/// A value of a row.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Value {
    /// A whole number; of a decimal, thousandths.
    Int(i64),
    /// A text.
    Text(String),
}

/// A row: its values in the order of the query's columns.
pub type Line = Vec<Value>;

/// How a column is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A whole number.
    Int,
    /// A number with up to three decimals.
    Thousandths,
    /// A text.
    Text,
}

impl Query {
    /// All of them.
    pub const ALL: [Query; 7] =
        [Query::Q0, Query::Q1, Query::Q2, Query::Q5, Query::Q7, Query::Q8, Query::Q11];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Query::Q0 => "q0",
            Query::Q1 => "q1",
            Query::Q2 => "q2",
            Query::Q5 => "q5",
            Query::Q7 => "q7",
            Query::Q8 => "q8",
            Query::Q11 => "q11",
        }
    }

    /// The columns that are compared. A row may have others beside them.
    pub fn columns(self) -> &'static [(&'static str, Kind)] {
        use Kind::{Int, Text, Thousandths};
        match self {
            Query::Q0 => &[
                ("auction", Int),
                ("bidder", Int),
                ("price", Int),
                ("dateTime", Int),
                ("extra", Text),
            ],
            Query::Q1 => &[
                ("auction", Int),
                ("bidder", Int),
                ("price", Thousandths),
                ("dateTime", Int),
                ("extra", Text),
            ],
            Query::Q2 => &[("auction", Int), ("price", Int)],
            Query::Q5 => &[("start", Int), ("auction", Int), ("bids", Int)],
            Query::Q7 => &[
                ("start", Int),
                ("auction", Int),
                ("bidder", Int),
                ("price", Int),
                ("dateTime", Int),
            ],
            Query::Q8 => &[("id", Int), ("name", Text), ("start", Int)],
            Query::Q11 => &[("bidder", Int), ("bids", Int), ("start", Int)],
        }
    }

    /// Reads a row that an engine has written as a JSON object.
    ///
    /// # Errors
    ///
    /// A column is missing or is of another kind.
    pub fn read(self, row: &[u8]) -> Result<Line> {
        let wrong = |what: &str| {
            let row = String::from_utf8_lossy(row);
            Error::config(format!("an engine wrote {row}, which is no row of {self}: {what}"))
        };
        let object: serde_json::Value =
            serde_json::from_slice(row).map_err(|error| wrong(&error.to_string()))?;
        let value = |(name, kind): &(&str, Kind)| {
            let value = object.get(name).and_then(|value| match kind {
                Kind::Int => value.as_i64().map(Value::Int),
                // Below 2^53, so the nearest double of a decimal is that of no other one.
                Kind::Thousandths => {
                    value.as_f64().map(|value| Value::Int((value * 1_000.0).round() as i64))
                }
                Kind::Text => value.as_str().map(|text| Value::Text(text.to_owned())),
            });
            value.ok_or_else(|| wrong(name))
        };
        self.columns().iter().map(value).collect()
    }
}

impl fmt::Display for Query {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl From<i64> for Value {
    fn from(value: i64) -> Value {
        Value::Int(value)
    }
}

impl From<String> for Value {
    fn from(value: String) -> Value {
        Value::Text(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_decimal_is_the_same_with_and_without_zeros_at_its_end() {
        let check = |price: &str, expect: i64| {
            let row = format!(
                r#"{{"auction":1,"bidder":2,"price":{price},"dateTime":3,"extra":"x","more":0}}"#
            );
            let line = Query::Q1.read(row.as_bytes()).unwrap();
            assert_eq!(line[2], Value::Int(expect), "{price}");
        };
        check("908", 908_000);
        check("908.000", 908_000);
        check("90.8", 90_800);
        check("90799999.092", 90_799_999_092);
    }

    #[test]
    fn what_is_no_row_is_refused() {
        let check = |row: &str| {
            let error = Query::Q2.read(row.as_bytes()).unwrap_err().to_string();
            assert!(error.contains("no row of q2"), "{error}");
        };
        check("{}");
        check("[");
        check(r#"{"auction":1,"price":"7"}"#);
    }
}
