//! [`Text`]: the one text type of events, keys and rows.

/// UTF-8 text that holds up to 24 bytes inline, so that short names, ids and words of an event
/// need no allocation.
pub type Text = compact_str::CompactString;
