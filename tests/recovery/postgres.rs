//! Tables of PostgreSQL over kills of the job and of the server: each row once, with a key or
//! without, and of a table whose rows go again none that should not be there.

use std::process::Command;
use std::time::Duration;

use highwater::testing::{PostgresServer, Scratch, or_skip};

use super::{CHAT, DEDUP, Dice, LIMIT, VIEWERS, kept, killed_until_it_ends};
use crate::binary::highwater;
use crate::cluster::support::Running;

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
        let sql = format!("SELECT (to_jsonb(t) - 'id')::text FROM {table} t ORDER BY 1");
        let rows = server.query_in(database, &sql).expect("the rows of a table");
        rows.into_iter().flatten().collect()
    };
    TABLES.iter().map(rows).collect()
}

fn create(mut command: Command, scratch: &Scratch, url: &str) {
    command.args(["check", "chat", "--create"]);
    let command = kept(command, scratch.path(), &sinks(url));
    let checked = Running::start(command, scratch.path(), "create").end(LIMIT);
    assert_eq!(checked.code, Some(0), "{}", checked.err);
}

#[test]
fn rows_are_in_their_tables_once_whatever_is_killed() {
    let scratch = Scratch::new("postgres-killed");
    let server = PostgresServer::start_in(&scratch.path().join("postgres"));
    let Some(server) = or_skip(server) else { return };
    let calm = server.create_database("calm").expect("a database");
    let killed = server.create_database("killed").expect("a database");
    create(highwater(), &scratch, &calm);
    let mut undisturbed = highwater();
    undisturbed.args(["run", "chat", "-w", "2"]);
    for set in [CHAT, DEDUP, VIEWERS].into_iter().map(String::from).chain(sinks(&calm)) {
        undisturbed.args(["--set", &set]);
    }
    let ended = Running::start(undisturbed, scratch.path(), "undisturbed").end(LIMIT);
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    let expected = rows(&server, "calm");
    assert!(expected.iter().all(|rows| !rows.is_empty()), "{expected:?}");

    let dir = Scratch::new("postgres-job");
    create(highwater(), &dir, &killed);
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
