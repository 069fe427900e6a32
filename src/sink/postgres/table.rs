//! A table as the view needs it, and as the server has it.

use super::connection::{Failure, Session};
use crate::error::{Error, Result, nearest};
use crate::row::{Column, Type};
use crate::sink::View;

/// The table that a view needs.
#[derive(Clone)]
pub(super) struct Table {
    /// `name` or `schema.name`.
    pub(super) name: String,
    pub(super) columns: Vec<Column>,
    /// Indices of the key columns.
    pub(super) key: Vec<usize>,
    /// Column that gets the time of writing.
    pub(super) stamp: Option<String>,
}

/// What the server says of a table.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) columns: Vec<FoundColumn>,
    /// Columns of each unique index that an upsert can use.
    pub(super) unique: Vec<Vec<String>>,
}

/// A column that is there.
#[derive(Debug)]
pub(super) struct FoundColumn {
    pub(super) name: String,
    /// Name of its type in the catalogue, such as `int4`, `_text`.
    pub(super) kind: String,
    /// The type as its table was declared, such as `character varying(255)`.
    pub(super) declared: String,
    /// Precision and the like, or -1.
    pub(super) modifier: i32,
    /// Every insert must name it: it is NOT NULL and has no default.
    pub(super) required: bool,
}

impl Table {
    pub(super) fn new(name: &str, view: &View) -> Result<Table> {
        if !Table::is_name(name) {
            return Err(Error::config(format!("`{name}` is no name of a table")).hint(NAMES));
        }
        let columns = view.schema.columns.clone();
        if let Some(bad) = view.names().find(|name| !is_identifier(name)) {
            return Err(Error::config(format!("`{bad}` is no name of a column")).hint(NAMES));
        }
        let mut key = Vec::new();
        for name in &view.key {
            let Some(index) = view.schema.index(name) else {
                let error = Error::config(format!("the key names `{name}`, which is no column"));
                let near = nearest(name, columns.iter().map(|column| &*column.name));
                return Err(match near.is_empty() {
                    true => error.hint(format!("view `{}` has {}", view.name, list(view.names()))),
                    false => error.hint(format!("there is {}", list(near.into_iter()))),
                });
            };
            key.push(index);
        }
        Ok(Table { name: name.into(), columns, key, stamp: view.stamp.clone() })
    }

    /// Whether a name may be that of a table.
    pub(super) fn is_name(name: &str) -> bool {
        let parts: Vec<&str> = name.split('.').collect();
        parts.len() <= 2 && parts.iter().all(|part| is_identifier(part))
    }

    pub(super) fn has_key(&self) -> bool {
        !self.key.is_empty()
    }

    /// The name for a statement.
    pub(super) fn quoted(&self) -> String {
        quote_all(&self.name)
    }

    fn key_names(&self) -> impl Iterator<Item = &str> {
        self.key.iter().map(|index| &*self.columns[*index].name)
    }

    /// The key columns for a statement, with commas between them.
    pub(super) fn quoted_key(&self) -> String {
        self.key_names().map(quote).collect::<Vec<_>>().join(", ")
    }

    fn constraint(&self) -> String {
        let name = self.name.rsplit('.').next().unwrap_or(&self.name);
        format!("CONSTRAINT {} UNIQUE ({})", quote(&format!("{name}_key")), self.quoted_key())
    }

    /// The statement that makes the table. Its number is 64 bits wide: each upsert takes one, also
    /// where the row is there already, and 32 bits would last for weeks.
    pub(super) fn create_sql(&self) -> String {
        let mut parts = Vec::new();
        if self.columns.iter().all(|column| column.name != "id") {
            parts.push("\"id\" BIGSERIAL PRIMARY KEY".to_owned());
        }
        for (index, column) in self.columns.iter().enumerate() {
            let required = !column.nullable || self.key.contains(&index);
            let rule = if required { " NOT NULL" } else { "" };
            parts.push(format!("{} {}{rule}", quote(&column.name), sql_type(column.kind)));
        }
        if let Some(stamp) = &self.stamp {
            parts.push(format!("{} TIMESTAMP DEFAULT now()", quote(stamp)));
        }
        if self.has_key() {
            parts.push(self.constraint());
        }
        format!("CREATE TABLE IF NOT EXISTS {} (\n  {}\n)", self.quoted(), parts.join(",\n  "))
    }

    /// Makes the table unless it is there; says whether it did.
    pub(super) async fn create(&self, session: &Session) -> Result<bool, Failure> {
        let there = "SELECT 1 WHERE to_regclass($1) IS NOT NULL";
        if !session.query(there, &[&self.quoted()]).await?.is_empty() {
            return Ok(false);
        }
        session.batch(&self.create_sql()).await?;
        Ok(true)
    }

    /// Asks the server's catalogue for the table.
    pub(super) async fn read(&self, session: &Session) -> Result<Found, Failure> {
        let columns = "SELECT a.attname::text, t.typname::text, \
             format_type(a.atttypid, a.atttypmod), a.atttypmod, \
             a.attnotnull AND NOT a.atthasdef AND a.attidentity = '' \
             FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid \
             WHERE a.attrelid = to_regclass($1) AND a.attnum > 0 AND NOT a.attisdropped";
        let columns = session.query(columns, &[&self.quoted()]).await?;
        let unique = "SELECT ARRAY(SELECT a.attname::text \
             FROM unnest(i.indkey) WITH ORDINALITY k (n, place) \
             JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.n \
             WHERE k.place <= i.indnkeyatts) \
             FROM pg_index i WHERE i.indrelid = to_regclass($1) AND i.indisunique \
             AND i.indisvalid AND i.indimmediate AND i.indpred IS NULL AND i.indexprs IS NULL";
        let unique = session.query(unique, &[&self.quoted()]).await?;
        let column = |row: &tokio_postgres::Row| FoundColumn {
            name: row.get(0),
            kind: row.get(1),
            declared: row.get(2),
            modifier: row.get(3),
            required: row.get(4),
        };
        Ok(Found {
            columns: columns.iter().map(column).collect(),
            unique: unique.iter().map(|row| row.get(0)).collect(),
        })
    }

    /// Compares the table with what the view needs; names everything that does not fit.
    pub(super) fn compare(&self, found: &Found) -> Result<()> {
        if found.columns.is_empty() {
            return Err(Error::config(format!("there is no table `{}`", self.name))
                .hint("`highwater check --create` makes it"));
        }
        let mut wrong = Vec::new();
        let stamp = self.stamp.iter().map(|name| (&**name, Type::Time));
        let needed: Vec<(&str, Type)> =
            self.columns.iter().map(|c| (&*c.name, c.kind)).chain(stamp).collect();
        for (name, kind) in &needed {
            match found.columns.iter().find(|column| column.name == *name) {
                None => wrong.push(format!("column `{name}` {} is missing", sql_type(*kind))),
                Some(column) if !fits(*kind, column) => wrong.push(format!(
                    "column `{name}` is {}, and not {}",
                    column.declared,
                    sql_type(*kind)
                )),
                Some(_) => {}
            }
        }
        for column in found.columns.iter().filter(|column| column.required) {
            if needed.iter().all(|(name, _)| *name != column.name) {
                let name = &column.name;
                wrong.push(format!("column `{name}` is NOT NULL, and the view does not fill it"));
            }
        }
        if !wrong.is_empty() {
            let wrong = wrong.join("; ");
            return Err(Error::config(format!("table `{}` does not fit: {wrong}", self.name))
                .hint("change the table, or name another one: `check --create` makes it"));
        }
        let mut key: Vec<&str> = self.key_names().collect();
        key.sort();
        let is_key = |unique: &Vec<String>| {
            let mut unique: Vec<&str> = unique.iter().map(|name| &**name).collect();
            unique.sort();
            unique == key
        };
        if self.has_key() && !found.unique.iter().any(is_key) {
            let key = list(self.key_names());
            let why = format!("table `{}` has no unique key on {key}", self.name);
            let (table, rule) = (self.quoted(), self.constraint());
            return Err(Error::config(why).hint(format!("ALTER TABLE {table} ADD {rule};")));
        }
        Ok(())
    }
}

pub(super) const NAMES: &str = "names are made of a-z, 0-9 and _, and do not begin with a digit";

fn list<'a>(names: impl Iterator<Item = &'a str>) -> String {
    names.map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

fn is_identifier(name: &str) -> bool {
    let legal = |b: u8| b == b'_' || b.is_ascii_lowercase() || b.is_ascii_digit();
    // The server cuts names at 63 bytes without a word.
    (1..64).contains(&name.len()) && name.bytes().all(legal) && !name.as_bytes()[0].is_ascii_digit()
}

/// Quotes `name` or `schema.name`.
pub(super) fn quote_all(name: &str) -> String {
    name.split('.').map(quote).collect::<Vec<_>>().join(".")
}

/// Quotes a checked identifier: `timestamp` and `user` are words of SQL.
pub(super) fn quote(name: &str) -> String {
    format!("\"{name}\"")
}

/// The type of a column in a table that we make.
fn sql_type(kind: Type) -> &'static str {
    match kind {
        Type::Bool => "BOOLEAN",
        Type::I32 => "INTEGER",
        Type::I64 => "BIGINT",
        Type::F64 => "DOUBLE PRECISION",
        Type::Decimal => "NUMERIC(24,2)",
        Type::Text => "TEXT",
        Type::Time => "TIMESTAMP",
        Type::TextList => "TEXT[]",
        Type::I32List => "INTEGER[]",
        Type::Json => "JSONB",
        Type::Bytes => "BYTEA",
    }
}

/// Whether a column holds every value of a type unchanged. A length limit of a text does not
/// change a value: it refuses it.
fn fits(kind: Type, column: &FoundColumn) -> bool {
    let whole = column.modifier == -1;
    match (kind, &*column.kind) {
        (Type::Bool, "bool") | (Type::I32, "int4" | "int8") | (Type::I64, "int8") => true,
        (Type::F64, "float8") | (Type::Text, "text" | "varchar") | (Type::Bytes, "bytea") => true,
        (Type::TextList, "_text" | "_varchar") | (Type::I32List, "_int4" | "_int8") => true,
        (Type::Json, "jsonb" | "json") => true,
        // The scale is in the lower 11 bits, behind an offset of 4.
        (Type::Decimal, "numeric") => {
            whole || (2..=1_000).contains(&((column.modifier - 4) & 0x7ff))
        }
        (Type::Time, "timestamp" | "timestamptz") => whole || column.modifier == 6,
        _ => false,
    }
}
