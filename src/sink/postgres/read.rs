//! The rows of a table back, by a cursor: as they were at one instant, some at a time.

use super::Options;
use super::connection::{Connection, Failure, Server, Session};
use super::table::{Table, quote};
use crate::error::{Error, Result};
use crate::row::{Cell, Column, Schema, Type};
use crate::sink::View;
use crate::sink::cells::{TakeRow, cell};

/// How many rows come at a time.
const ROWS: usize = 1_000;

/// Gives each row of a table to `take`, as the table gives them.
pub(crate) fn read(options: &Options, schema: &Schema, take: &mut TakeRow<'_>) -> Result<()> {
    let view = View {
        name: options.table.clone(),
        schema: schema.clone().into(),
        key: vec![],
        stamp: None,
    };
    let table = Table::new(&options.table, &view)?;
    let columns: Vec<String> = schema.columns.iter().map(text).collect();
    let select = format!("SELECT {} FROM {}", columns.join(", "), table.quoted());
    let declare =
        format!("BEGIN ISOLATION LEVEL REPEATABLE READ; DECLARE letters CURSOR FOR {select}");
    let fetch = format!("FETCH {ROWS} FROM letters");
    let mut connection = Connection::new(&Server::new(options)?)?;
    connection.run(async |session| session.batch(&declare).await)?;
    loop {
        let rows = connection.run(async |session| rows(session, &fetch, schema).await)?;
        let count = rows.len();
        for row in rows {
            let row = row.map_err(|why| {
                Error::config(format!("table `{}` does not hold such rows: {why}", options.table))
            })?;
            take(row)?;
        }
        if count < ROWS {
            return connection.run(async |session| session.batch("COMMIT").await);
        }
    }
}

/// A column as the text that `cells.rs` reads.
fn text(column: &Column) -> String {
    let name = quote(&column.name);
    match column.kind {
        Type::Time => format!("to_char({name}, 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')"),
        Type::Bytes => format!("translate(encode({name}, 'base64'), E'\\n', '')"),
        _ => format!("{name}::text"),
    }
}

async fn rows(
    session: &Session,
    fetch: &str,
    schema: &Schema,
) -> Result<Vec<Result<Vec<Cell>, String>>, Failure> {
    let found = session.query(fetch, &[]).await?;
    let row = |row: &tokio_postgres::Row| {
        let columns = schema.columns.iter().enumerate();
        let cell = |(index, column): (usize, &Column)| {
            let text: Option<&str> = row.try_get(index).map_err(|error| error.to_string())?;
            text.map_or(Ok(Cell::Null), |text| cell(column, text))
        };
        columns.map(cell).collect()
    };
    Ok(found.iter().map(row).collect())
}
