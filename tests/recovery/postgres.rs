//! Tables of PostgreSQL over kills of the job and of the server: each row once, with a key or
//! without, and of a table whose rows go again none that should not be there.

use std::time::Duration;

use highwater::testing::{Dice, PostgresServer, Scratch, or_skip};

use super::{calm, create, kept, killed_until_it_ends};
use crate::binary::highwater;

/// Appended final rows, rows with a key, letters without one.
const TABLES: [(&str, &str); 3] =
    [("sink.chat_summary_minute", "rows=\"final\","), ("sink.moments", ""), ("dead_letters", "")];

fn name(port: &str) -> &str {
    port.rsplit('.').next().unwrap_or(port)
}

/// Bindings of the tables in a database.
fn sinks(url: &str) -> Vec<String> {
    let bind = |(port, rows): &(&str, &str)| {
        let table = name(port);
        format!("{port}={{{rows}postgres={{url=\"{url}\",table=\"{table}\"}}}}")
    };
    let keyless = "view.chat_summary_minute.key=[]".to_owned();
    TABLES.iter().map(bind).chain([keyless]).collect()
}

fn rows(server: &PostgresServer, database: &str) -> Vec<Vec<String>> {
    let rows = |(port, _): &(&str, &str)| {
        let table = name(port);
        // What the server says of a row that it refuses has the number that it would have had.
        let row = "(to_jsonb(t) - 'id') || CASE WHEN to_jsonb(t)->>'reason' = 'rejected_by_sink' \
                   THEN '{\"detail\": \"\"}'::jsonb ELSE '{}'::jsonb END";
        let sql = format!("SELECT ({row})::text FROM {table} t ORDER BY 1");
        let rows = server.query_in(database, &sql).expect("the rows of a table");
        rows.into_iter().flatten().collect()
    };
    TABLES.iter().map(rows).collect()
}

/// A rule of the table that some rows break: they become letters, when they are delivered.
fn refuse_some(server: &PostgresServer, database: &str) {
    let rule = "ALTER TABLE moments ADD CHECK (stream_id NOT SIMILAR TO '%(1|3|5|7|9)')";
    server.query_in(database, rule).expect("the table takes the rule");
}

#[test]
fn rows_are_in_their_tables_once_whatever_is_killed() {
    let scratch = Scratch::new("postgres-killed");
    let server = PostgresServer::start_in(&scratch.path().join("postgres"));
    let Some(server) = or_skip(server) else { return };
    let calm_url = server.create_database("calm").expect("a database");
    let killed = server.create_database("killed").expect("a database");
    create(scratch.path(), &sinks(&calm_url));
    refuse_some(&server, "calm");
    calm(scratch.path(), &sinks(&calm_url));
    let expected = rows(&server, "calm");
    assert!(expected.iter().all(|rows| !rows.is_empty()), "{expected:?}");
    let refused = expected[2].iter().filter(|letter| letter.contains("rejected_by_sink")).count();
    assert!(2 < refused, "{refused} rows were refused");

    let dir = Scratch::new("postgres-job");
    create(dir.path(), &sinks(&killed));
    refuse_some(&server, "killed");
    let start = |workers: u64| {
        let mut command = highwater();
        command.args(["run", "chat", "-w", &workers.to_string()]);
        kept(command, dir.path(), &sinks(&killed))
    };
    let mut dice = Dice::new();
    // The server is killed in whatever it is doing, and comes back while the job waits for it.
    std::thread::scope(|scope| {
        let crashes = scope.spawn(|| {
            for pause in [900, 1_700] {
                std::thread::sleep(Duration::from_millis(pause));
                server.crash();
                std::thread::sleep(Duration::from_millis(300));
                server.start().expect("the server comes back");
            }
        });
        killed_until_it_ends((dir.path(), &mut dice, 9), start);
        crashes.join().expect("the server was killed twice");
    });
    let found = rows(&server, "killed");
    for (index, (port, _)) in TABLES.iter().enumerate() {
        let (found, expected) = (&found[index], &expected[index]);
        let missing: Vec<_> = expected.iter().filter(|row| !found.contains(row)).take(3).collect();
        let count = |rows: &[String], row| rows.iter().filter(|other| *other == row).count();
        let often = found.iter().filter(|row| count(expected, *row) < count(found, *row));
        let often: Vec<_> = often.take(3).collect();
        let (is, was) = (found.len(), expected.len());
        assert!(found == expected, "{port}: {is} of {was}; missing {missing:?}; more {often:?}");
    }
}
