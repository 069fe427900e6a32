//! The table that says which epochs are in the other tables, one row per shard of a sink.
//!
//! A delivery changes its row in the transaction of the rows themselves. The row is locked first,
//! so two attempts to run a job come one after the other, and the older one finds that it is.

use super::connection::{Failure, Session};
use super::table::{NAMES, Table, quote_all};
use crate::error::{Error, Result};
use crate::sink::courier::{Refused, Route};

/// The table.
#[derive(Clone)]
pub(super) struct Epochs {
    pub(super) name: String,
}

/// What the row of a shard says.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Standing {
    pub(super) life: i64,
    pub(super) generation: i64,
    /// The last epoch that was delivered.
    pub(super) epoch: Option<i64>,
    pub(super) refused: Vec<Refused>,
}

impl Epochs {
    pub(super) fn new(name: &str) -> Result<Epochs> {
        if !Table::is_name(name) {
            return Err(Error::config(format!("`{name}` is no name of a table")).hint(NAMES));
        }
        Ok(Epochs { name: name.into() })
    }

    pub(super) async fn is_there(&self, session: &Session) -> Result<bool, Failure> {
        let there = "SELECT 1 WHERE to_regclass($1) IS NOT NULL";
        Ok(!session.query(there, &[&quote_all(&self.name)]).await?.is_empty())
    }

    pub(super) fn compare(&self, there: bool) -> Result<()> {
        let missing = || {
            let why = format!("there is no table `{}`, which tells of epochs", self.name);
            Error::config(why).hint("`highwater check --create` makes it")
        };
        there.then_some(()).ok_or_else(missing)
    }

    /// Makes the table unless it is there; says whether it did.
    pub(super) async fn create(&self, session: &Session) -> Result<bool, Failure> {
        if self.is_there(session).await? {
            return Ok(false);
        }
        let sql = format!(
            "CREATE TABLE IF NOT EXISTS {} (\n  \
             job TEXT NOT NULL,\n  sink TEXT NOT NULL,\n  shard INTEGER NOT NULL,\n  \
             life BIGINT NOT NULL,\n  generation BIGINT NOT NULL,\n  epoch BIGINT,\n  \
             refused TEXT NOT NULL DEFAULT '[]',\n  PRIMARY KEY (job, sink, shard)\n)",
            quote_all(&self.name)
        );
        session.batch(&sql).await?;
        Ok(true)
    }

    /// Locks the row of a shard until the transaction ends; makes it if it is missing.
    pub(super) async fn lock(&self, session: &Session, of: &Route) -> Result<Standing, Failure> {
        let (name, shard) = (quote_all(&self.name), of.shard as i32);
        let make = format!(
            "INSERT INTO {name} (job, sink, shard, life, generation) VALUES ($1, $2, $3, 0, 0) \
             ON CONFLICT DO NOTHING"
        );
        session.execute(&make, &[&of.job, &of.sink, &shard]).await?;
        let read = format!(
            "SELECT life, generation, epoch, refused FROM {name} \
             WHERE job = $1 AND sink = $2 AND shard = $3 FOR UPDATE"
        );
        let rows = session.query(&read, &[&of.job, &of.sink, &shard]).await?;
        let Some(row) = rows.first() else {
            return Err(Failure::Away(format!("a row of `{}` went while it was made", self.name)));
        };
        let refused: String = row.get(3);
        let refused = serde_json::from_str(&refused).map_err(|error| {
            Failure::Setup(format!("`refused` in table `{}` cannot be read: {error}", self.name))
        })?;
        let standing =
            Standing { life: row.get(0), generation: row.get(1), epoch: row.get(2), refused };
        if (of.generation as i64) < standing.generation {
            return Err(Failure::Fenced(format!(
                "a later attempt of job `{}` writes to the tables of `{}`",
                of.job, self.name
            )));
        }
        Ok(standing)
    }

    /// Changes the row of a shard, which is locked.
    pub(super) async fn set(
        &self,
        session: &Session,
        of: &Route,
        (epoch, refused): (Option<i64>, &[Refused]),
    ) -> Result<(), Failure> {
        let sql = format!(
            "UPDATE {} SET life = $4, generation = $5, epoch = $6, refused = $7 \
             WHERE job = $1 AND sink = $2 AND shard = $3",
            quote_all(&self.name)
        );
        let shard = of.shard as i32;
        let (life, generation) = (of.life as i64, of.generation as i64);
        let refused = serde_json::to_string(refused).expect("it holds numbers and texts");
        session
            .execute(&sql, &[&of.job, &of.sink, &shard, &life, &generation, &epoch, &refused])
            .await
    }

    /// Keeps older attempts from every shard of the sink, also from those that this one has not.
    pub(super) async fn fence(&self, session: &Session, of: &Route) -> Result<(), Failure> {
        let sql = format!(
            "UPDATE {} SET generation = $3 WHERE job = $1 AND sink = $2 AND generation < $3",
            quote_all(&self.name)
        );
        let generation = of.generation as i64;
        session.execute(&sql, &[&of.job, &of.sink, &generation]).await
    }
}
