//! The first half needs no server. The second takes one from `HIGHWATER_TEST_POSTGRES` and each
//! of its tests has a table of its own.

mod delivered;

use std::sync::Arc;

use super::connection::Failure;
use super::statements::{delete_sql, insert_sql};
use super::table::{Found, FoundColumn};
use super::*;
use crate::error::Kind;
use crate::letter::Reason;
use crate::row::{Cell, Change, Column, Mark, Origin, Position, Rows, Schema, Type};
use crate::time::Time;

fn column(name: &str, kind: Type, nullable: bool) -> Column {
    Column { name: name.into(), kind, nullable }
}

/// A view with a key of two columns, of which one is a word of SQL.
fn moments() -> View {
    let columns = vec![
        column("stream_id", Type::Text, true),
        column("timestamp", Type::Time, false),
        column("intensity", Type::F64, true),
        column("metadata", Type::Json, true),
    ];
    View {
        name: "moments".into(),
        schema: Arc::new(Schema { columns }),
        key: vec!["stream_id".into(), "timestamp".into()],
        stamp: Some("detected_at".into()),
    }
}

fn options(url: &str, table: &str) -> Options {
    toml::from_str(&format!("url = \"{url}\"\ntable = \"{table}\"")).unwrap()
}

#[test]
fn a_table_has_two_statements_and_a_definition() {
    let table = Table::new("live.moments", &moments()).unwrap();
    assert_eq!(
        insert_sql(&table),
        "INSERT INTO \"live\".\"moments\" \
         (\"stream_id\", \"timestamp\", \"intensity\", \"metadata\", \"detected_at\") \
         SELECT u.c0, u.c1, u.c2, u.c3::jsonb, now() \
         FROM unnest($1::text[], $2::timestamp[], $3::double precision[], $4::text[]) \
         AS u (c0, c1, c2, c3) ON CONFLICT (\"stream_id\", \"timestamp\") DO UPDATE SET \
         \"intensity\" = EXCLUDED.\"intensity\", \"metadata\" = EXCLUDED.\"metadata\", \
         \"detected_at\" = EXCLUDED.\"detected_at\"",
    );
    assert_eq!(
        delete_sql(&table),
        "DELETE FROM \"live\".\"moments\" AS t USING unnest($1::text[], $2::timestamp[]) \
         AS u (c0, c1) WHERE t.\"stream_id\" = u.c0 AND t.\"timestamp\" = u.c1",
    );
    assert_eq!(
        table.create_sql(),
        "CREATE TABLE IF NOT EXISTS \"live\".\"moments\" (\n  \
         \"id\" BIGSERIAL PRIMARY KEY,\n  \"stream_id\" TEXT NOT NULL,\n  \
         \"timestamp\" TIMESTAMP NOT NULL,\n  \"intensity\" DOUBLE PRECISION,\n  \
         \"metadata\" JSONB,\n  \"detected_at\" TIMESTAMP DEFAULT now(),\n  \
         CONSTRAINT \"moments_key\" UNIQUE (\"stream_id\", \"timestamp\")\n)",
    );
    let mut keyless = Table::new("moments", &View { key: vec![], ..moments() }).unwrap();
    keyless.stamp = None;
    assert!(!insert_sql(&keyless).contains("ON CONFLICT"));
    keyless.key = vec![0, 1, 2, 3];
    assert!(insert_sql(&keyless).ends_with("DO NOTHING"));
}

#[test]
fn names_are_checked_before_they_reach_a_statement() {
    for name in ["", "Moments", "a b", "a;drop", "a.b.c", "1a", "a\"b", ".a", &"a".repeat(64)] {
        let error = open(
            options("postgresql://h/d", &name.replace('"', "\\\"")),
            &moments(),
            &Common::default(),
        )
        .err()
        .expect("it is refused");
        assert_eq!(error.kind(), Kind::Config, "{name}");
    }
    let view = View { key: vec!["stream".into()], ..moments() };
    let error = Table::new("moments", &view).err().expect("it is refused");
    let expect = "the key names `stream`, which is no column\n  hint: there is `stream_id`";
    assert_eq!(error.to_string(), expect);
}

#[test]
fn an_address_may_come_from_java_and_its_password_stays_secret() {
    let check = |url: &str, expect: Result<&str, &str>| {
        let server = Server::new(&options(url, "t"));
        let place = server.as_ref().map(Server::place).map_err(|error| error.message());
        assert_eq!(place.as_deref(), expect.as_ref().map(|text| *text), "{url}");
        if let Err(error) = server {
            assert!(!error.to_string().contains("secret"), "{error}");
        }
    };
    let at = |place| Ok::<&str, &str>(place);
    check("postgresql://u:secret@db:5433/x", at("PostgreSQL at db:5433/x"));
    check("postgres://db/x?sslmode=prefer", at("PostgreSQL at db:5432/x"));
    check("jdbc:postgresql://db/x", at("PostgreSQL at db:5432/x"));
    let java = "jdbc:postgresql://db:1/x?user=u&password=secret&stringtype=unspecified&ssl=false";
    check(java, at("PostgreSQL at db:1/x"));
    let unread = Err("the `url` of a postgres sink cannot be read");
    check("postgresql://u:secret@db/x?tls=1", unread);
    check("mysql://u:secret@db/x", unread);
    let no_tls = Err("this build has no TLS for PostgreSQL");
    check("postgresql://u:secret@db/x?sslmode=require", no_tls);
    check("jdbc:postgresql://db/x?password=secret&ssl=true", no_tls);
}

#[test]
fn what_does_not_fit_is_named_and_the_way_out_with_it() {
    let found = |columns: &[(&str, &str, i32, bool)], unique: &[&str]| Found {
        columns: columns
            .iter()
            .map(|(name, kind, modifier, required)| FoundColumn {
                name: (*name).into(),
                kind: (*kind).into(),
                declared: format!("{kind} as declared"),
                modifier: *modifier,
                required: *required,
            })
            .collect(),
        unique: unique.iter().map(|key| key.split(',').map(Into::into).collect()).collect(),
    };
    let table = Table::new("moments", &moments()).unwrap();
    let check = |found: Found, expect: &str| {
        let text = table.compare(&found).map_or_else(|error| error.to_string(), |()| "ok".into());
        assert_eq!(text, expect);
    };
    let mut columns = vec![
        ("id", "int4", -1, false),
        ("stream_id", "varchar", 259, true),
        ("timestamp", "timestamp", -1, true),
        ("intensity", "float8", -1, false),
        ("metadata", "jsonb", -1, false),
        ("detected_at", "timestamptz", -1, false),
    ];
    check(
        found(&[], &[]),
        "there is no table `moments`\n  hint: `highwater check --create` makes it",
    );
    check(found(&columns, &["id", "timestamp,stream_id"]), "ok");
    let hint = "hint: ALTER TABLE \"moments\" ADD CONSTRAINT \"moments_key\" \
        UNIQUE (\"stream_id\", \"timestamp\");";
    check(
        found(&columns, &["id", "stream_id", "stream_id,timestamp,id"]),
        &format!("table `moments` has no unique key on `stream_id`, `timestamp`\n  {hint}"),
    );
    columns[2].2 = 0;
    columns[3].1 = "float4";
    columns.pop();
    columns.push(("threshold", "float8", -1, true));
    check(
        found(&columns, &["stream_id,timestamp"]),
        "table `moments` does not fit: column `timestamp` is timestamp as declared, and not \
         TIMESTAMP; column `intensity` is float4 as declared, and not DOUBLE PRECISION; column \
         `detected_at` TIMESTAMP is missing; column `threshold` is NOT NULL, and the view does not \
         fill it\n  hint: change the table, or name another one: `check --create` makes it",
    );
}

#[test]
fn a_server_that_is_not_there_is_unreachable() {
    let mut sink =
        open(options("postgresql://u@127.0.0.1:1/x", "t"), &moments(), &Common::default()).unwrap();
    let error = sink.check().unwrap_err();
    assert_eq!(error.kind(), Kind::Unreachable);
    assert!(error.to_string().starts_with("PostgreSQL at 127.0.0.1:1/x: "), "{error}");
}

#[test]
fn options_have_timeouts_with_units() {
    let text = "url = \"x\"\ntable = \"t\"\nstatement_timeout = \"1m\"";
    let options: Options = toml::from_str(text).unwrap();
    assert_eq!(options.statement_timeout, Duration::from_secs(60));
    assert_eq!(options.connect_timeout, Duration::from_secs(5));
    assert!(toml::from_str::<Options>("url = \"x\"\ntable = \"t\"\ntimeout = 3").is_err());
}

// With a server.

/// Address of a server that tests may use; without one they say so and pass.
fn server() -> Option<String> {
    crate::testing::PostgresServer::shared().map(|server| server.url())
}

/// A table that is made for one test.
struct Fixture {
    url: String,
    table: String,
}

impl Fixture {
    fn new(name: &str) -> Option<Fixture> {
        let fixture = Fixture { url: server()?, table: format!("t_{}_{name}", std::process::id()) };
        fixture.sql(&format!("DROP TABLE IF EXISTS {}", fixture.table)).unwrap();
        Some(fixture)
    }

    fn connection(&self) -> Connection {
        Connection::new(&Server::new(&options(&self.url, "t")).unwrap()).unwrap()
    }

    fn sql(&self, sql: &str) -> Result<()> {
        self.connection().run(async |session| session.batch(sql).await)
    }

    /// Rows of the table as JSON, without `id`, sorted.
    fn rows(&self) -> Vec<String> {
        let sql = format!("SELECT (to_jsonb(t) - 'id')::text FROM {} t ORDER BY 1", self.table);
        let rows = self.connection().run(async |session| session.query(&sql, &[]).await).unwrap();
        rows.iter().map(|row| row.get(0)).collect()
    }

    fn sink(&self, view: &View) -> Box<dyn Sink> {
        open(options(&self.url, &self.table), view, &Common::default()).unwrap()
    }

    /// Makes the table of a view and opens a writer on it.
    fn writer(&self, view: &View) -> Box<dyn Writer> {
        let mut sink = self.sink(view);
        assert_eq!(sink.create().unwrap().len(), 1);
        assert_eq!(sink.create().unwrap().len(), 0);
        sink.check().unwrap();
        sink.open(Shard { index: 0, count: 1 }).unwrap()
    }
}

impl Drop for Fixture {
    fn drop(&mut self) {
        let _ = self.sql(&format!("DROP TABLE IF EXISTS {}", self.table));
    }
}

/// A small keyed view.
fn counts() -> View {
    let columns = vec![column("word", Type::Text, true), column("n", Type::I32, true)];
    let schema = Arc::new(Schema { columns });
    View { name: "counts".into(), schema, key: vec!["word".into()], stamp: None }
}

fn batch<const N: usize>(rows: impl IntoIterator<Item = (Change, [Cell; N])>) -> Rows {
    let mut batch = Rows::default();
    for (change, cells) in rows {
        batch.push(Mark { change, origin: Origin::Record(Position::default()) }, cells);
    }
    batch
}

fn count(word: &str, n: i32) -> [Cell; 2] {
    [Cell::Text(word.into()), Cell::I32(n)]
}

#[test]
fn every_type_comes_back_as_it_was() {
    let Some(fixture) = Fixture::new("types") else { return };
    let kinds = [
        Type::I32,
        Type::Bool,
        Type::I64,
        Type::F64,
        Type::Decimal,
        Type::Text,
        Type::Time,
        Type::TextList,
        Type::I32List,
        Type::Json,
        Type::Bytes,
    ];
    let named = |(index, kind)| column(&format!("c{index}"), kind, true);
    let columns = kinds.into_iter().enumerate().map(named).collect();
    let view = View {
        name: "types".into(),
        schema: Arc::new(Schema { columns }),
        key: vec!["c0".into()],
        stamp: None,
    };
    let nulls = std::array::from_fn(|index| if index == 0 { Cell::I32(1) } else { Cell::Null });
    let texts = ["", "NULL", "a,b", "{\"\\}", " ", "日本"].map(|text| Some(text.into()));
    let full = [
        Cell::I32(2),
        Cell::Bool(true),
        Cell::I64(i64::MIN),
        Cell::F64(0.1 + 0.2),
        Cell::Decimal(-999_999_999_999_999_999_999_905),
        Cell::Text("it's \"quoted\" \\ \t".into()),
        Cell::Time(Time::from_micros(-1)),
        Cell::TextList(texts.into_iter().chain([None]).collect()),
        Cell::I32List(vec![1, -2]),
        Cell::Json("{\"b\": [1, null]}".into()),
        Cell::Bytes(vec![0, 255]),
    ];
    let extremes = [Time::MIN, Time::MAX].map(|time| {
        let mut cells: [Cell; 11] = nulls.clone();
        cells[0] = Cell::I32(if time == Time::MIN { 3 } else { 4 });
        cells[6] = Cell::Time(time);
        cells[7] = Cell::TextList(vec![]);
        (Change::Final, cells)
    });
    let rows = [(Change::Final, nulls), (Change::Final, full)].into_iter().chain(extremes);
    assert_eq!(fixture.writer(&view).write(&batch(rows)), Ok(vec![]));
    let rows = fixture.rows();
    let parsed: serde_json::Value = serde_json::from_str(&rows[1]).unwrap();
    let expect = serde_json::json!({
        "c0": 2, "c1": true, "c2": i64::MIN, "c3": 0.1 + 0.2,
        "c4": parsed["c4"], "c5": "it's \"quoted\" \\ \t", "c6": "1969-12-31T23:59:59.999999",
        "c7": ["", "NULL", "a,b", "{\"\\}", " ", "日本", null], "c8": [1, -2],
        "c9": {"b": [1, null]}, "c10": "\\x00ff",
    });
    assert_eq!(parsed, expect);
    assert!(rows[1].contains("\"c4\": -9999999999999999999999.05"), "{}", rows[1]);
    assert!(rows[0].contains("\"c1\": null") && rows[0].contains("\"c9\": null"), "{}", rows[0]);
    assert!(rows[2].contains("\"0001-01-01T00:00:00\"") && rows[2].contains("\"c7\": []"));
    assert!(rows[3].contains("\"9999-12-31T23:59:59.999999\""), "{}", rows[3]);
}

#[test]
fn the_last_row_of_a_key_stays_and_a_deleted_one_goes() {
    let Some(fixture) = Fixture::new("upserts") else { return };
    let mut writer = fixture.writer(&counts());
    let first = batch([
        (Change::Upsert, count("a", 1)),
        (Change::Upsert, count("b", 1)),
        (Change::Upsert, count("a", 2)),
        (Change::Delete, count("c", 0)),
        (Change::Final, count("d", 7)),
    ]);
    assert_eq!(writer.write(&first), Ok(vec![]));
    assert_eq!(writer.write(&first), Ok(vec![]), "the same once more has the same effect");
    let rows = |rows: &[(&str, i32)]| -> Vec<String> {
        rows.iter().map(|(word, n)| format!("{{\"n\": {n}, \"word\": \"{word}\"}}")).collect()
    };
    assert_eq!(fixture.rows(), rows(&[("b", 1), ("a", 2), ("d", 7)]));
    let second = batch([
        (Change::Delete, count("a", 2)),
        (Change::Upsert, count("b", 3)),
        (Change::Delete, count("b", 3)),
        (Change::Upsert, count("b", 4)),
        (Change::Upsert, count("d", 8)),
        (Change::Delete, count("d", 8)),
    ]);
    assert_eq!(writer.write(&second), Ok(vec![]));
    assert_eq!(fixture.rows(), rows(&[("b", 4)]));
}

#[test]
fn a_row_that_is_refused_leaves_the_others_alone() {
    let Some(fixture) = Fixture::new("refusals") else { return };
    let mut writer = fixture.writer(&counts());
    fixture.sql(&format!("ALTER TABLE {} ADD CHECK (n <> 13)", fixture.table)).unwrap();
    // More rows than one statement takes, refused ones in each.
    let bad = [0, 13, 1_000, 4_999, 9_998, 9_999];
    let rows = batch((0..10_000).map(|index| {
        let cells = match index {
            13 => count("unlucky", 13),
            1_000 => [Cell::Null, Cell::I32(1)],
            _ if bad.contains(&index) => count(&format!("nul \0 {index:05}"), index),
            _ => count(&format!("word {index:05}"), index + 100),
        };
        (Change::Final, cells)
    }));
    for _ in 0..2 {
        let refused = writer.write(&rows).unwrap();
        let at: Vec<i32> = refused.iter().map(|refusal| refusal.row as i32).collect();
        assert_eq!(at, bad);
        assert_eq!(refused[2].reject.reason, Reason::NullKey);
        assert!(refused[2].reject.detail.starts_with("`word` is NULL and part of the key of"));
        assert_eq!(refused[1].reject.reason, Reason::RejectedBySink);
        assert!(refused[1].reject.detail.contains("violates check constraint"), "{refused:?}");
        assert!(refused[3].reject.detail.contains("invalid byte sequence"), "{refused:?}");
        assert_eq!(fixture.rows().len(), 10_000 - bad.len());
    }
    // A batch of nothing but refused rows.
    let alone = batch([(Change::Final, count("\0", 1))]);
    assert_eq!(writer.write(&alone).unwrap().len(), 1);
    assert_eq!(writer.write(&batch([(Change::Final, count("fine", 1))])), Ok(vec![]));
}

#[test]
fn a_text_that_is_too_long_is_refused_and_a_constraint_that_waits_is_found() {
    let Some(fixture) = Fixture::new("deferred") else { return };
    let table = &fixture.table;
    fixture
        .sql(&format!(
            "CREATE TABLE {table} (id SERIAL PRIMARY KEY, word VARCHAR(5) NOT NULL UNIQUE, n INT, \
             UNIQUE (n) DEFERRABLE INITIALLY DEFERRED)"
        ))
        .unwrap();
    let mut sink = fixture.sink(&counts());
    sink.check().unwrap();
    let mut writer = sink.open(Shard { index: 0, count: 1 }).unwrap();
    let rows = [count("a", 1), count("toolong", 2), count("b", 1), count("c", 3)];
    let refused = writer.write(&batch(rows.map(|cells| (Change::Final, cells)))).unwrap();
    let at: Vec<usize> = refused.iter().map(|refusal| refusal.row).collect();
    assert_eq!(at, [1, 2]);
    assert!(refused[0].reject.detail.contains("too long"), "{refused:?}");
    assert_eq!(fixture.rows().len(), 2);
}

#[test]
fn rows_without_a_key_are_appended_and_stamped() {
    let Some(fixture) = Fixture::new("append") else { return };
    let view = View { key: vec![], stamp: Some("processed_at".into()), ..counts() };
    assert_eq!(fixture.sink(&view).accepts(), Accepts::Final);
    let mut writer = fixture.writer(&view);
    let rows = batch([(Change::Final, count("a", 1)), (Change::Final, [Cell::Null, Cell::Null])]);
    writer.write(&rows).unwrap();
    writer.write(&rows).unwrap();
    assert_eq!(fixture.rows().len(), 4);
    fixture
        .sql(&format!(
            "DO $$ BEGIN ASSERT (SELECT bool_and(abs(extract(epoch FROM processed_at - \
             now() AT TIME ZONE 'UTC')) < 60) FROM {}); END $$",
            fixture.table
        ))
        .unwrap();
    let update = batch([(Change::Upsert, count("a", 1))]);
    assert_eq!(writer.write(&update).unwrap_err().kind(), Kind::Config);
    let common = Common { updates: true, ..Common::default() };
    let mut sink = open(options(&fixture.url, &fixture.table), &view, &common).unwrap();
    assert!(sink.check().unwrap_err().message().contains("has no key"));
}

#[test]
fn check_reads_the_catalogue() {
    let Some(fixture) = Fixture::new("check") else { return };
    let mut sink = fixture.sink(&counts());
    let error = sink.check().unwrap_err();
    assert_eq!((error.kind(), error.message().contains("there is no table")), (Kind::Config, true));
    let table = &fixture.table;
    fixture
        .sql(&format!(
            "CREATE TABLE {table} (id INT GENERATED ALWAYS AS IDENTITY, word TEXT, n NUMERIC, \
             other INT NOT NULL, gone INT NOT NULL); \
             ALTER TABLE {table} DROP COLUMN gone; \
             CREATE UNIQUE INDEX ON {table} (word) WHERE n > 0"
        ))
        .unwrap();
    let message = sink.check().unwrap_err().message().to_owned();
    assert_eq!(
        message,
        format!(
            "table `{table}` does not fit: column `n` is numeric, and not INTEGER; column `other` \
             is NOT NULL, and the view does not fill it"
        )
    );
    let mend = "ALTER COLUMN n TYPE int, ALTER COLUMN other SET DEFAULT 0";
    fixture.sql(&format!("ALTER TABLE {table} {mend}")).unwrap();
    let error = sink.check().unwrap_err();
    assert!(error.message().contains("has no unique key on `word`"), "{error}");
    let text = error.to_string();
    let way_out = text.split_once("hint: ").unwrap().1;
    fixture.sql(way_out).unwrap();
    sink.check().unwrap();
}

#[test]
fn a_connection_that_was_cut_is_an_error_once_and_then_made_again() {
    let Some(fixture) = Fixture::new("cut") else { return };
    let mut writer = fixture.writer(&counts());
    writer.write(&batch([(Change::Upsert, count("a", 1))])).unwrap();
    let cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
        WHERE query LIKE 'INSERT INTO \"TABLE\"%' AND pid <> pg_backend_pid()";
    let mut connection = fixture.connection();
    let cut = cut.replace("TABLE", &fixture.table);
    let cut = connection.run(async |session| session.query(&cut, &[]).await).unwrap();
    assert_eq!(cut.len(), 1, "the connection of the writer was found");
    let rows = batch([(Change::Upsert, count("a", 2))]);
    let error = writer.write(&rows).unwrap_err();
    assert_eq!(error.kind(), Kind::Unreachable, "{error}");
    assert_eq!(writer.write(&rows), Ok(vec![]));
    assert_eq!(fixture.rows(), ["{\"n\": 2, \"word\": \"a\"}"]);
}

#[test]
fn a_write_that_waits_too_long_is_given_up_and_works_later() {
    let Some(fixture) = Fixture::new("slow") else { return };
    drop(fixture.writer(&counts()));
    let mut short = options(&fixture.url, &fixture.table);
    short.statement_timeout = Duration::from_millis(200);
    let mut sink = open(short, &counts(), &Common::default()).unwrap();
    let mut writer = sink.open(Shard { index: 0, count: 1 }).unwrap();
    let rows = batch([(Change::Upsert, count("a", 2))]);
    let lock = format!("BEGIN; LOCK TABLE {}", fixture.table);
    let mut other = fixture.connection();
    let outcome = other.run(async |session| {
        session.batch(&lock).await?;
        // The lock is held while this thread waits for the writer.
        Ok::<_, Failure>(std::thread::scope(|scope| {
            scope.spawn(|| writer.write(&rows)).join().unwrap()
        }))
    });
    let error = outcome.unwrap().unwrap_err();
    assert_eq!(error.kind(), Kind::Unreachable);
    assert!(error.message().contains("statement timeout"), "{error}");
    drop(other);
    assert_eq!(writer.write(&rows), Ok(vec![]));
}
