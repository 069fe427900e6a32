//! The schema of a file: the columns of a view, all of them optional, and how they are stored.
//!
//! | column | stored as |
//! |---|---|
//! | bool, i32, i64, f64 | BOOLEAN, INT32, INT64, DOUBLE |
//! | dec | FIXED_LEN_BYTE_ARRAY(11) DECIMAL(24,2) |
//! | text, json | BYTE_ARRAY (String) |
//! | bytes | BYTE_ARRAY |
//! | ts | INT64 TIMESTAMP(MICROS, UTC), or INT96 |
//! | text[], i32[] | LIST of three levels: the group, `list`, `element` |

use std::sync::Arc;

use parquet::basic::{LogicalType, Repetition, TimeUnit, Type as Physical};
use parquet::errors::ParquetError;
use parquet::schema::types::{Type as Node, TypePtr};

use super::Timestamps;
use crate::error::{Error, Result};
use crate::row::{Column, Type};
use crate::sink::View;

/// Bytes of a DECIMAL(24,2).
pub(super) const DECIMAL_BYTES: usize = 11;

/// Digits of a DECIMAL(24,2).
const DECIMAL_DIGITS: usize = 24;

/// The schema of the files of a view; the stamp is the last column.
pub(super) fn schema(view: &View, timestamps: Timestamps) -> Result<TypePtr> {
    let stamp = view.stamp.as_ref().map(|name| Column {
        name: name.clone(),
        kind: Type::Time,
        nullable: false,
    });
    let columns = view.schema.columns.iter().chain(&stamp);
    let fields = columns.map(|column| field(column, timestamps)).collect::<Result<_, _>>();
    let schema = fields.and_then(|fields| {
        Node::group_type_builder("spark_schema").with_fields(fields).build().map(Arc::new)
    });
    schema.map_err(|error| Error::bug(format!("no schema for view `{}`: {error}", view.name)))
}

fn field(column: &Column, timestamps: Timestamps) -> Result<TypePtr, ParquetError> {
    let name = &column.name;
    match column.kind {
        Type::Bool => leaf(name, Physical::BOOLEAN, None),
        Type::I32 => leaf(name, Physical::INT32, None),
        Type::I64 => leaf(name, Physical::INT64, None),
        Type::F64 => leaf(name, Physical::DOUBLE, None),
        Type::Text | Type::Json => leaf(name, Physical::BYTE_ARRAY, Some(LogicalType::String)),
        Type::Bytes => leaf(name, Physical::BYTE_ARRAY, None),
        Type::Time => match timestamps {
            Timestamps::Micros => {
                let micros = LogicalType::timestamp(true, TimeUnit::MICROS);
                leaf(name, Physical::INT64, Some(micros))
            }
            Timestamps::Int96 => leaf(name, Physical::INT96, None),
        },
        Type::Decimal => {
            let digits = DECIMAL_DIGITS as i32;
            Node::primitive_type_builder(name, Physical::FIXED_LEN_BYTE_ARRAY)
                .with_repetition(Repetition::OPTIONAL)
                .with_logical_type(Some(LogicalType::decimal(2, digits)))
                .with_length(DECIMAL_BYTES as i32)
                .with_precision(digits)
                .with_scale(2)
                .build()
                .map(Arc::new)
        }
        Type::TextList => {
            list(name, leaf("element", Physical::BYTE_ARRAY, Some(LogicalType::String))?)
        }
        Type::I32List => list(name, leaf("element", Physical::INT32, None)?),
    }
}

fn leaf(
    name: &str,
    physical: Physical,
    logical: Option<LogicalType>,
) -> Result<TypePtr, ParquetError> {
    Node::primitive_type_builder(name, physical)
        .with_repetition(Repetition::OPTIONAL)
        .with_logical_type(logical)
        .build()
        .map(Arc::new)
}

fn list(name: &str, element: TypePtr) -> Result<TypePtr, ParquetError> {
    let repeated = Node::group_type_builder("list")
        .with_repetition(Repetition::REPEATED)
        .with_fields(vec![element])
        .build()?;
    Node::group_type_builder(name)
        .with_repetition(Repetition::OPTIONAL)
        .with_logical_type(Some(LogicalType::List))
        .with_fields(vec![Arc::new(repeated)])
        .build()
        .map(Arc::new)
}
