//! Delivers whole epochs: their rows and the number of the last one in one transaction.

use super::connection::{Connection, Failure, Session};
use super::epochs::{Epochs, Standing};
use super::table::Table;
use super::writer::{Batch, Statements};
use crate::error::{Error, Result};
use crate::failpoint::failpoint;
use crate::row::Cell;
use crate::sink::Refusal;
use crate::sink::courier::{Courier, Delivered, Delivery, Refused, Route};

/// Delivers the rows of one shard.
pub(super) struct PostgresCourier {
    connection: Connection,
    statements: Statements,
    epochs: Epochs,
    route: Route,
}

impl PostgresCourier {
    pub(super) fn new(
        connection: Connection,
        table: Table,
        epochs: Epochs,
        route: Route,
    ) -> PostgresCourier {
        PostgresCourier { connection, statements: Statements::new(table), epochs, route }
    }
}

impl Courier for PostgresCourier {
    /// Takes the shard over. If a damaged checkpoint has made the job go further back than the
    /// table knows, the epochs in between will be delivered again: with a key they replace
    /// themselves.
    fn begin(&mut self) -> Result<Delivered> {
        let PostgresCourier { connection, statements, epochs, route } = self;
        let standing = connection.run(async |session| {
            session.batch("BEGIN").await?;
            let standing = epochs.lock(session, route).await?;
            epochs.fence(session, route).await?;
            let standing =
                if standing.life == route.life as i64 { standing } else { Standing::default() };
            let restored = route.restored.map(|epoch| epoch as i64);
            let back = restored < standing.epoch && statements.table.has_key();
            let epoch = if back { restored } else { standing.epoch };
            epochs.set(session, route, (epoch, &standing.refused)).await?;
            session.batch("COMMIT").await?;
            Ok(Standing { epoch, ..standing })
        })?;
        let last = standing.epoch.map(|epoch| epoch as u64);
        if route.restored < last {
            let name = &statements.table.name;
            let (found, kept) = (last.unwrap_or(0), route.restored.unwrap_or(0));
            return Err(Error::config(format!(
                "table `{name}` has the rows of epoch {found}, the checkpoint is that of {kept}: \
                 without a key they cannot be taken back"
            ))
            .hint("bring the damaged checkpoint back, or empty the table and start anew"));
        }
        let refused = standing.refused.iter().map(|refused| (refused.first, refused.refusal()));
        Ok(Delivered { last, refused: refused.collect() })
    }

    fn deliver(&mut self, delivery: &Delivery<'_>) -> Result<Vec<Refusal>> {
        let PostgresCourier { connection, statements, epochs, route } = self;
        let cells: Vec<&[Cell]> = delivery.rows.iter().map(|(_, cells)| cells).collect();
        let (chunks, without_key) = statements.chunks(delivery.rows, &cells)?;
        let batch = Batch { table: &statements.table, cells: &cells, chunks: &chunks };
        let work = Work { epochs, route, delivery, without_key: &without_key };
        connection.run(async |session| {
            // STEP 1. As if every row were fine.
            match work.deliver(session, &batch, false).await {
                Err(Failure::Row(_)) => session.batch("ROLLBACK").await?,
                done => return done,
            }
            // STEP 2. Something was refused: the same once more, looking for it.
            work.deliver(session, &batch, true).await
        })
    }
}

struct Work<'a> {
    epochs: &'a Epochs,
    route: &'a Route,
    delivery: &'a Delivery<'a>,
    without_key: &'a [Refusal],
}

impl Work<'_> {
    /// One transaction.
    async fn deliver(
        &self,
        session: &Session,
        batch: &Batch<'_>,
        search: bool,
    ) -> Result<Vec<Refusal>, Failure> {
        let Delivery { first, last, .. } = *self.delivery;
        session.batch("BEGIN").await?;
        let standing = self.epochs.lock(session, self.route).await?;
        if Some(last as i64) <= standing.epoch {
            // The answer to an earlier try was lost.
            session.batch("ROLLBACK").await?;
            let mine = standing.refused.iter().filter(|refused| refused.first == first);
            return Ok(mine.map(Refused::refusal).collect());
        }
        let mut refused = self.without_key.to_vec();
        if search {
            session.batch("SET CONSTRAINTS ALL IMMEDIATE").await?;
            batch.search_all(session, &mut refused).await?;
        } else {
            batch.execute_all(session).await?;
        }
        failpoint!("sink.half_delivered");
        refused.sort_by_key(|refusal| refusal.row);
        // A refusal is kept until a checkpoint holds its letter.
        let all = Refused::kept(standing.refused, self.delivery, &refused);
        self.epochs.set(session, self.route, (Some(last as i64), &all)).await?;
        session.batch("COMMIT").await?;
        Ok(refused)
    }
}
