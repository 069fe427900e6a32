//! Times: to be written.
/// A zone.
#[derive(Clone, Debug)]
pub struct Zone;
impl Zone {
    /// UTC.
    pub fn utc() -> Zone {
        Zone
    }
}
