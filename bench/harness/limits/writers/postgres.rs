//! The bare writers of PostgreSQL: rows by `COPY` into a table without a key, and by `COPY` into a
//! temporary one with an upsert from there, which is what a keyed table takes at best.
//!
//! `psql` sends them, so that no client of ours is measured. The server does not wait for its disk
//! (`fsync = off`, as all servers of tests).

use std::io::{BufRead, BufReader, BufWriter, Write};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};
use std::time::Instant;

use highwater::testing::{PostgresServer, Skip};
use highwater::time::Time;

use super::{ROWS, SINK_TRIED, row, video_id};

/// Rows of a batch that is upserted.
const BATCH_ROWS: u64 = 20_000;

const COLUMNS: &str =
    "(window_start timestamptz, window_end timestamptz, video_id text, count bigint)";

const UPSERT: &str = "INSERT INTO keyed SELECT * FROM staged ON CONFLICT (window_start, video_id) \
    DO UPDATE SET window_end = EXCLUDED.window_end, count = EXCLUDED.count;\nTRUNCATE staged;\n";

/// A `psql` that is told statements and answers when it has done them.
struct Session {
    child: Child,
    statements: BufWriter<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

/// Million rows a second: copied, and copied and upserted.
///
/// # Errors
///
/// What the server says.
pub(super) fn rates(server: &PostgresServer) -> Result<[f64; 2], Skip> {
    let mut session = Session::open(server)?;
    session.tell(&format!(
        "CREATE TABLE appended {COLUMNS};\n\
         CREATE TABLE keyed {COLUMNS};\n\
         ALTER TABLE keyed ADD PRIMARY KEY (window_start, video_id);\n\
         CREATE TEMPORARY TABLE staged {COLUMNS};\n"
    ))?;
    session.wait()?;
    let (start, mut rows) = (Instant::now(), 0);
    session.tell("COPY appended FROM STDIN;\n")?;
    while start.elapsed() < SINK_TRIED {
        session.rows(rows, ROWS)?;
        rows += ROWS;
    }
    session.tell("\\.\n")?;
    session.wait()?;
    let copied = rows as f64 / 1e6 / start.elapsed().as_secs_f64();
    let (start, mut rows) = (Instant::now(), 0);
    while start.elapsed() < SINK_TRIED {
        session.tell("COPY staged FROM STDIN;\n")?;
        session.rows(rows, BATCH_ROWS)?;
        session.tell("\\.\n")?;
        session.tell(UPSERT)?;
        session.wait()?;
        rows += BATCH_ROWS;
    }
    let upserted = rows as f64 / 1e6 / start.elapsed().as_secs_f64();
    Ok([copied, upserted])
}

impl Session {
    fn open(server: &PostgresServer) -> Result<Session, Skip> {
        let mut psql = server.psql();
        psql.args(["-f", "-"]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = psql.spawn().map_err(failed)?;
        let (Some(stdin), Some(stdout)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(failed("no pipes"));
        };
        let statements = BufWriter::with_capacity(1 << 16, stdin);
        Ok(Session { child, statements, answers: BufReader::new(stdout) })
    }

    fn tell(&mut self, text: &str) -> Result<(), Skip> {
        self.statements.write_all(text.as_bytes()).map_err(failed)
    }

    /// So many rows of a count, as `COPY` reads them.
    fn rows(&mut self, first: u64, count: u64) -> Result<(), Skip> {
        let (mut window, mut times) = (None, String::new());
        for n in first..first + count {
            let row = row(n);
            // Times are the same for many rows, and spelling them out would be most of the work.
            if window.replace(row.start_ms) != Some(row.start_ms) {
                let [start, end] = [row.start_ms, row.end_ms].map(Time::from_millis);
                times = format!("{start}\t{end}");
            }
            let (video, count) = (video_id(row.video), row.count);
            writeln!(self.statements, "{times}\t{video}\t{count}").map_err(failed)?;
        }
        Ok(())
    }

    /// Waits until everything is done.
    fn wait(&mut self) -> Result<(), Skip> {
        self.tell("\\echo done\n")?;
        self.statements.flush().map_err(failed)?;
        let mut line = String::new();
        self.answers.read_line(&mut line).map_err(failed)?;
        if line == "done\n" {
            return Ok(());
        }
        let mut why = line;
        if let Some(errors) = self.child.stderr.take() {
            // What it could not read is no reason of its own.
            let _ = BufReader::new(errors).read_line(&mut why);
        }
        Err(failed(why.trim()))
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // It has nothing more to do, or has ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn failed(why: impl std::fmt::Display) -> Skip {
    Skip { reason: format!("psql: {why}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A database of its own, as the tables are those of the run.
    #[test]
    fn all_rows_that_were_sent_are_in_the_tables() {
        let Some(_) = PostgresServer::shared() else { return };
        let dir = highwater::testing::Scratch::new("bench-postgres");
        let server = PostgresServer::start_in(dir.path()).unwrap();
        let rates = rates(&server).unwrap();
        assert!(rates.iter().all(|rate| 0.0 < *rate && rate.is_finite()), "{rates:?}");
        let count = |table: &str| -> u64 {
            let rows = server.query(&format!("SELECT count(*) FROM {table}")).unwrap();
            rows[0][0].parse().unwrap()
        };
        let (appended, keyed) = (count("appended"), count("keyed"));
        assert!(0 < appended && appended % ROWS == 0, "{appended}");
        assert!(0 < keyed && keyed % BATCH_ROWS == 0, "{keyed}");
        let row = "SELECT window_end - window_start, video_id, count FROM keyed \
                   ORDER BY window_start, video_id OFFSET 203 LIMIT 1";
        let third = super::row(203).count.to_string();
        assert_eq!(server.query(row).unwrap(), [["00:01:00", "VID003", &third]]);
        // The tables are there already: what the server says is the reason.
        let error = super::rates(&server).unwrap_err().to_string();
        assert!(error.contains("already exists"), "{error}");
    }
}
