//! Events of NEXMark as engines in Rust decode them: the fields that queries read, as the tables of
//! the SQL engines name them.

use highwater::codec::{Field, Wire};
use highwater::prelude::*;
use serde::de::MapAccess;

/// A person, an auction, or a bid; the text `extra` of bids is decoded if it is asked for.
#[derive(Clone, Debug, Default)]
pub enum Event<const EXTRA: bool = false> {
    /// None of them: it has no event time.
    #[default]
    Other,
    /// Somebody comes.
    Person(Person),
    /// Somebody opens an auction.
    Auction(Auction),
    /// Somebody bids.
    Bid(Bid<EXTRA>),
}

/// A person.
#[derive(Clone, Debug, Default)]
pub struct Person {
    /// Who.
    pub id: Option<i64>,
    /// The name.
    pub name: Option<Text>,
    /// When.
    pub at: Option<Time>,
}

/// An auction.
#[derive(Clone, Debug, Default)]
pub struct Auction {
    /// Which.
    pub id: Option<i64>,
    /// Who opens it.
    pub seller: Option<i64>,
    /// When.
    pub at: Option<Time>,
}

/// A bid.
#[derive(Clone, Debug, Default)]
pub struct Bid<const EXTRA: bool = false> {
    /// On which auction.
    pub auction: Option<i64>,
    /// Who bids.
    pub bidder: Option<i64>,
    /// How much, in cents.
    pub price: Option<i64>,
    /// When.
    pub at: Option<Time>,
    /// What fills the record.
    pub extra: Option<Text>,
}

impl<const EXTRA: bool> Event<EXTRA> {
    /// When it happened.
    pub fn time(&self) -> Option<Time> {
        match self {
            Event::Other => None,
            Event::Person(person) => person.at,
            Event::Auction(auction) => auction.at,
            Event::Bid(bid) => bid.at,
        }
    }

    /// The bid that it is.
    pub fn bid(&self) -> Option<&Bid<EXTRA>> {
        match self {
            Event::Bid(bid) => Some(bid),
            _ => None,
        }
    }

    /// The auction that it is.
    pub fn auction(&self) -> Option<&Auction> {
        match self {
            Event::Auction(auction) => Some(auction),
            _ => None,
        }
    }

    /// The person that it is.
    pub fn person(&self) -> Option<&Person> {
        match self {
            Event::Person(person) => Some(person),
            _ => None,
        }
    }
}

impl<const EXTRA: bool> Event<EXTRA> {
    /// Reads one of the three objects. One that is NULL says nothing: some producers write all.
    fn kind<'de, W: Wire, A: MapAccess<'de>>(
        &mut self,
        field: Field<'_, A>,
        event: fn(W) -> Self,
    ) -> std::result::Result<(), A::Error> {
        let mut object = None;
        field.object(&mut object)?;
        if let Some(object) = object {
            *self = event(object);
        }
        Ok(())
    }
}

impl<const EXTRA: bool> Wire for Event<EXTRA> {
    #[inline]
    fn field<'de, A: MapAccess<'de>>(
        &mut self,
        name: &str,
        field: Field<'_, A>,
    ) -> std::result::Result<(), A::Error> {
        match name {
            "person" => self.kind(field, Event::Person),
            "auction" => self.kind(field, Event::Auction),
            "bid" => self.kind(field, Event::Bid),
            _ => field.skip(),
        }
    }
}

impl Wire for Person {
    #[inline]
    fn field<'de, A: MapAccess<'de>>(
        &mut self,
        name: &str,
        field: Field<'_, A>,
    ) -> std::result::Result<(), A::Error> {
        match name {
            "id" => field.i64(&mut self.id),
            "name" => field.text(&mut self.name),
            "dateTime" => field.time(&mut self.at),
            _ => field.skip(),
        }
    }
}

impl Wire for Auction {
    #[inline]
    fn field<'de, A: MapAccess<'de>>(
        &mut self,
        name: &str,
        field: Field<'_, A>,
    ) -> std::result::Result<(), A::Error> {
        match name {
            "id" => field.i64(&mut self.id),
            "seller" => field.i64(&mut self.seller),
            "dateTime" => field.time(&mut self.at),
            _ => field.skip(),
        }
    }
}

impl<const EXTRA: bool> Wire for Bid<EXTRA> {
    #[inline]
    fn field<'de, A: MapAccess<'de>>(
        &mut self,
        name: &str,
        field: Field<'_, A>,
    ) -> std::result::Result<(), A::Error> {
        match name {
            "auction" => field.i64(&mut self.auction)?,
            "bidder" => field.i64(&mut self.bidder)?,
            "price" => field.i64(&mut self.price)?,
            "dateTime" => field.time(&mut self.at)?,
            "extra" if EXTRA => field.text(&mut self.extra)?,
            _ => field.skip()?,
        }
        Ok(())
    }
}
