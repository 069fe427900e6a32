//! [`Parcel`]: what crosses an exchange, one type for every view.
//!
//! A channel of timely has one type of data; a channel per view and type would compile the shell
//! once per view. So what a view sends is wrapped: within a process the vector moves as it is,
//! between processes it is encoded by the function that its own type brought along.

use std::any::Any;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::time::Time;

/// Items of one type for one worker.
pub struct Parcel {
    /// The worker that owns them.
    pub to: u32,
    /// When the oldest record in it was due or sent, where the source tells; for latency.
    pub sent: Option<Time>,
    body: Body,
}

enum Body {
    Here(Box<dyn Goods>),
    Wire(Vec<u8>),
}

impl Parcel {
    /// Wraps items.
    pub fn new<T>(to: usize, items: Vec<T>) -> Parcel
    where
        T: Serialize + DeserializeOwned + Send + 'static,
    {
        Parcel { to: to as u32, sent: None, body: Body::Here(Box::new(items)) }
    }

    /// Says when its oldest record was due or sent.
    pub fn sent(mut self, sent: Option<Time>) -> Parcel {
        self.sent = sent;
        self
    }

    /// The items.
    ///
    /// # Panics
    ///
    /// When they have another type: channels are built from one description on every worker, so
    /// this is a bug.
    pub fn open<T: DeserializeOwned + 'static>(self) -> Vec<T> {
        match self.body {
            Body::Here(goods) => {
                *goods.into_any().downcast().expect("a parcel holds what its channel carries")
            }
            Body::Wire(bytes) => {
                bincode::deserialize(&bytes).expect("a peer with the same dataflow encoded it")
            }
        }
    }

    fn bytes(&self) -> Vec<u8> {
        match &self.body {
            Body::Here(goods) => goods.encode(),
            Body::Wire(bytes) => bytes.clone(),
        }
    }
}

/// Items that know how to be encoded.
trait Goods: Send {
    fn encode(&self) -> Vec<u8>;
    fn into_any(self: Box<Self>) -> Box<dyn Any>;
}

impl<T: Serialize + Send + 'static> Goods for Vec<T> {
    fn encode(&self) -> Vec<u8> {
        bincode::serialize(self).expect("state and wire types serialise")
    }

    fn into_any(self: Box<Self>) -> Box<dyn Any> {
        self
    }
}

impl Clone for Parcel {
    fn clone(&self) -> Parcel {
        Parcel { to: self.to, sent: self.sent, body: Body::Wire(self.bytes()) }
    }
}

impl Serialize for Parcel {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.body {
            Body::Here(goods) => (self.to, self.sent, goods.encode()).serialize(serializer),
            Body::Wire(bytes) => (self.to, self.sent, bytes).serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Parcel {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Parcel, D::Error> {
        let (to, sent, bytes) = Deserialize::deserialize(deserializer)?;
        Ok(Parcel { to, sent, body: Body::Wire(bytes) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parcel_opens_to_the_same_items_here_and_after_the_wire() {
        let items = vec![(1u32, "a".to_string()), (2, "b".to_string())];
        let parcel = Parcel::new(3, items.clone());
        let bytes = bincode::serialize(&parcel).unwrap();
        let remote: Parcel = bincode::deserialize(&bytes).unwrap();
        assert_eq!(remote.to, 3);
        assert_eq!(remote.clone().open::<(u32, String)>(), items);
        assert_eq!(remote.open::<(u32, String)>(), items);
        assert_eq!(parcel.open::<(u32, String)>(), items);
    }
}
