//! What a dataflow file imports; nothing of timely is in it.

pub use std::time::Duration;

pub use highwater_derive::{Aggregate, Row};
pub use serde::{Deserialize, Serialize};

pub use crate::aggregate::{
    Aggregate, Collect, Count, Distinct, First, Last, Max, Mean, Min, Stamp, Sum, TopK, Variance,
};
pub use crate::alert::Alert;
pub use crate::alert::watch::Measure;
pub use crate::codec::Raw;
pub use crate::config::{Ignored, Parameters};
pub use crate::error::Result;
pub use crate::key::Key;
pub use crate::lateness::Lateness;
pub use crate::letter::Reject;
pub use crate::row::{Decimal, Json, Row};
pub use crate::stats;
pub use crate::stream::{Arranged, Flow, Keyed, Silence, Stream, View, Windowed};
pub use crate::text::Text;
pub use crate::time::{Time, days, hours, millis, minutes, seconds};
pub use crate::window::{Session, Sliding, Tumbling, Window};
