//! JSON: to be written.
use crate::text::Text;
use crate::time::Time;
use serde::de::MapAccess;
use std::marker::PhantomData;

/// The value of a field.
pub struct Field<'a, A>(PhantomData<&'a A>);

impl<'de, A: MapAccess<'de>> Field<'_, A> {
    /// As text.
    pub fn text(self) -> Result<Option<Text>, A::Error> {
        Ok(None)
    }
    /// As a time.
    pub fn time(self) -> Result<Option<Time>, A::Error> {
        Ok(None)
    }
    /// As an i32.
    pub fn i32(self) -> Result<Option<i32>, A::Error> {
        Ok(None)
    }
    /// As a list.
    pub fn text_list(self) -> Result<Option<Vec<Option<Text>>>, A::Error> {
        Ok(None)
    }
    /// Skips it.
    pub fn skip(self) -> Result<(), A::Error> {
        Ok(())
    }
}
