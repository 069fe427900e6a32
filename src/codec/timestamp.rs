//! Times: to be written.
/// A zone.
#[derive(Clone, Debug)]
pub struct Zone;
impl Zone {
    /// UTC.
    pub fn utc() -> Zone {
        Zone
    }
    /// The zone of a name.
    pub fn named(_name: &str) -> Result<Zone, String> {
        Ok(Zone)
    }
}
