//! Tests of alerts: at most once, with any number of workers, and whatever else takes the rows.
