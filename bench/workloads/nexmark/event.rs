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

impl<const EXTRA: bool> Wire for Event<EXTRA> {
    #[inline]
    fn field<'de, A: MapAccess<'de>>(
        &mut self,
        name: &str,
        field: Field<'_, A>,
    ) -> std::result::Result<(), A::Error> {
        // A field that is NULL says nothing: some producers write all three of them.
        let read = match name {
            "person" => field.object()?.map(Event::Person),
            "auction" => field.object()?.map(Event::Auction),
            "bid" => field.object()?.map(Event::Bid),
            _ => return field.skip(),
        };
        if let Some(event) = read {
            *self = event;
        }
        Ok(())
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
            "id" => self.id = field.i64()?,
            "name" => self.name = field.text()?,
            "dateTime" => self.at = field.time()?,
            _ => field.skip()?,
        }
        Ok(())
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
            "id" => self.id = field.i64()?,
            "seller" => self.seller = field.i64()?,
            "dateTime" => self.at = field.time()?,
            _ => field.skip()?,
        }
        Ok(())
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
            "auction" => self.auction = field.i64()?,
            "bidder" => self.bidder = field.i64()?,
            "price" => self.price = field.i64()?,
            "dateTime" => self.at = field.time()?,
            "extra" if EXTRA => self.extra = field.text()?,
            _ => field.skip()?,
        }
        Ok(())
    }
}
