//! Writes batches: the last row of each key, in one transaction, and finds rows that are refused.

use std::cmp::Ordering;

use super::connection::{Connection, Failure, Session};
use super::statements::{delete_sql, insert_sql, parameters};
use super::table::Table;
use crate::error::{Error, Result};
use crate::letter::{Reason, Reject};
use crate::row::{Cell, Change, Rows};
use crate::sink::{Refusal, Writer};

/// Most rows of one statement: beyond some thousands larger ones are not faster.
const STATEMENT_ROWS_MAX: usize = 4_096;

/// Most bytes of one statement, about; one row may exceed it.
const STATEMENT_BYTES_MAX: usize = 8 << 20;

/// Writes to one table.
pub(super) struct PostgresWriter {
    connection: Connection,
    statements: Statements,
}

/// What is said to one table.
pub(super) struct Statements {
    pub(super) table: Table,
    insert: Sql,
    delete: Sql,
}

/// A statement and the columns it takes.
struct Sql {
    text: String,
    columns: Vec<usize>,
}

/// Rows for one statement, as indices of the batch.
pub(super) struct Chunk<'a> {
    sql: &'a Sql,
    rows: Vec<usize>,
}

impl Statements {
    pub(super) fn new(table: Table) -> Statements {
        let insert = Sql { text: insert_sql(&table), columns: (0..table.columns.len()).collect() };
        let delete = match table.has_key() {
            true => Sql { text: delete_sql(&table), columns: table.key.clone() },
            false => Sql { text: String::new(), columns: vec![] },
        };
        Statements { table, insert, delete }
    }

    /// Cuts rows into statements; those without a key are refused.
    pub(super) fn chunks(
        &self,
        rows: &Rows,
        cells: &[&[Cell]],
    ) -> Result<(Vec<Chunk<'_>>, Vec<Refusal>)> {
        let (kept, refused) = keep(&self.table, rows, cells)?;
        let (gone, there): (Vec<usize>, Vec<usize>) =
            kept.into_iter().partition(|row| rows.marks[*row].change == Change::Delete);
        let mut chunks = chunks(&self.delete, gone, cells);
        chunks.extend(self::chunks(&self.insert, there, cells));
        Ok((chunks, refused))
    }
}

impl PostgresWriter {
    pub(super) fn new(connection: Connection, table: Table) -> PostgresWriter {
        PostgresWriter { connection, statements: Statements::new(table) }
    }
}

impl Writer for PostgresWriter {
    fn write(&mut self, rows: &Rows) -> Result<Vec<Refusal>> {
        let PostgresWriter { connection, statements } = self;
        let cells: Vec<&[Cell]> = rows.iter().map(|(_, cells)| cells).collect();
        let (chunks, mut refused) = statements.chunks(rows, &cells)?;
        if !chunks.is_empty() {
            let batch = Batch { table: &statements.table, cells: &cells, chunks: &chunks };
            refused.extend(connection.run(async |session| batch.write(session).await)?);
        }
        refused.sort_by_key(|refusal| refusal.row);
        Ok(refused)
    }
}

/// The rows to write: the last one of each key, in the order of keys, so that two writers lock
/// rows in the same order; and the refusals of those without a key.
fn keep(table: &Table, rows: &Rows, cells: &[&[Cell]]) -> Result<(Vec<usize>, Vec<Refusal>)> {
    let all = 0..rows.len();
    if !table.has_key() {
        if rows.marks.iter().any(|mark| mark.change != Change::Final) {
            let why = format!("table `{}` has no key, and this row may change", table.name);
            return Err(Error::config(why).hint(
                "name the columns of the key in `key` of the view, or set `rows = \"final\"`",
            ));
        }
        return Ok((all.collect(), vec![]));
    }
    let mut refused = Vec::new();
    let mut kept = Vec::with_capacity(rows.len());
    for row in all {
        match table.key.iter().find(|column| cells[row][**column] == Cell::Null) {
            None => kept.push(row),
            // Such a row was never stored, so there is nothing to delete.
            Some(_) if rows.marks[row].change == Change::Delete => {}
            Some(column) => {
                let column = &table.columns[*column].name;
                let why = format!("`{column}` is NULL and part of the key of `{}`", table.name);
                refused.push(Refusal { row, reject: Reject::new(Reason::NullKey, why) });
            }
        }
    }
    let by_key = |a: &usize, b: &usize| {
        let cells = table.key.iter().map(|column| cells[*a][*column].order(&cells[*b][*column]));
        cells.fold(Ordering::Equal, Ordering::then)
    };
    // Newest first within a key, so that the first one stays.
    kept.sort_unstable_by(|a, b| by_key(a, b).then(b.cmp(a)));
    kept.dedup_by(|next, first| by_key(next, first).is_eq());
    Ok((kept, refused))
}

/// Cuts rows into statements of a bounded size.
fn chunks<'a>(sql: &'a Sql, rows: Vec<usize>, cells: &[&[Cell]]) -> Vec<Chunk<'a>> {
    let mut chunks: Vec<Chunk<'_>> = Vec::new();
    let mut bytes = 0;
    for row in rows {
        let more: usize = cells[row].iter().map(cell_bytes).sum();
        match chunks.last_mut() {
            Some(chunk)
                if chunk.rows.len() < STATEMENT_ROWS_MAX && bytes + more <= STATEMENT_BYTES_MAX =>
            {
                chunk.rows.push(row);
                bytes += more;
            }
            _ => {
                chunks.push(Chunk { sql, rows: vec![row] });
                bytes = more;
            }
        }
    }
    chunks
}

fn cell_bytes(cell: &Cell) -> usize {
    8 + match cell {
        Cell::Text(text) => text.len(),
        Cell::Json(document) => document.len(),
        Cell::Bytes(bytes) => bytes.len(),
        Cell::TextList(texts) => {
            texts.iter().map(|text| 8 + text.as_ref().map_or(0, |text| text.len())).sum()
        }
        Cell::I32List(numbers) => 12 * numbers.len(),
        _ => 8,
    }
}

/// What is sent together.
pub(super) struct Batch<'a> {
    pub(super) table: &'a Table,
    pub(super) cells: &'a [&'a [Cell]],
    pub(super) chunks: &'a [Chunk<'a>],
}

impl Batch<'_> {
    async fn write(&self, session: &Session) -> Result<Vec<Refusal>, Failure> {
        // STEP 1. As if every row were fine; a single statement is a transaction by itself.
        match self.chunks {
            [chunk] => match self.execute(session, chunk.sql, &chunk.rows).await {
                Err(Failure::Row(_)) => {}
                done => return done.map(|()| vec![]),
            },
            _ => match self.transaction(session).await {
                Err(Failure::Row(_)) => session.batch("ROLLBACK").await?,
                done => return done.map(|()| vec![]),
            },
        }
        // STEP 2. Something was refused: the same once more, looking for it.
        session.batch("BEGIN; SET CONSTRAINTS ALL IMMEDIATE").await?;
        let mut refused = Vec::new();
        self.search_all(session, &mut refused).await?;
        session.batch("COMMIT").await?;
        Ok(refused)
    }

    async fn transaction(&self, session: &Session) -> Result<(), Failure> {
        session.batch("BEGIN").await?;
        self.execute_all(session).await?;
        session.batch("COMMIT").await
    }

    /// Writes all, within a transaction.
    pub(super) async fn execute_all(&self, session: &Session) -> Result<(), Failure> {
        for chunk in self.chunks {
            self.execute(session, chunk.sql, &chunk.rows).await?;
        }
        Ok(())
    }

    /// Writes all but for the rows that are refused, within a transaction.
    pub(super) async fn search_all(
        &self,
        session: &Session,
        refused: &mut Vec<Refusal>,
    ) -> Result<(), Failure> {
        for chunk in self.chunks {
            self.search(session, chunk, refused).await?;
        }
        Ok(())
    }

    /// Writes a chunk but for the rows that are refused, halving it until they stand alone.
    async fn search(
        &self,
        session: &Session,
        chunk: &Chunk<'_>,
        refused: &mut Vec<Refusal>,
    ) -> Result<(), Failure> {
        let mut parts = vec![&chunk.rows[..]];
        while let Some(rows) = parts.pop() {
            session.batch("SAVEPOINT part").await?;
            match self.execute(session, chunk.sql, rows).await {
                Ok(()) => session.batch("RELEASE SAVEPOINT part").await?,
                Err(Failure::Row(words)) => {
                    session.batch("ROLLBACK TO SAVEPOINT part; RELEASE SAVEPOINT part").await?;
                    if let [row] = rows {
                        let reject = Reject::new(Reason::RejectedBySink, words);
                        refused.push(Refusal { row: *row, reject });
                    } else {
                        let (first, second) = rows.split_at(rows.len() / 2);
                        parts.extend([second, first]);
                    }
                }
                Err(failure) => return Err(failure),
            }
        }
        Ok(())
    }

    async fn execute(&self, session: &Session, sql: &Sql, rows: &[usize]) -> Result<(), Failure> {
        let cells: Vec<&[Cell]> = rows.iter().map(|row| self.cells[*row]).collect();
        let arrays = parameters(self.table, &sql.columns, &cells);
        let arrays: Vec<_> = arrays.iter().map(|array| &**array).collect();
        session.execute(&sql.text, &arrays).await
    }
}
