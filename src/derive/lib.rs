//! The two derives of highwater: `Aggregate` and `Row`.
//!
//! Both take a struct with named fields, without parameters, and name everything by its full path
//! from `::highwater`. Their examples stand beside the traits: in `highwater::aggregate` and in
//! `highwater::row`.

use proc_macro::TokenStream;
use syn::{DeriveInput, parse_macro_input};

mod aggregate;
mod fields;
mod row;

/// Merges a struct field by field; every field must be an aggregate.
#[proc_macro_derive(Aggregate)]
pub fn derive_aggregate(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    aggregate::expand(&input).unwrap_or_else(syn::Error::into_compile_error).into()
}

/// Makes a struct a row of a table, and a field of other rows, to which it adds its own columns.
///
/// A field may have `#[row(rename = "name")]` for another column name, `#[row(skip)]` for no
/// column, `#[row(i32)]` for a column of 32 bits: a row whose value does not fit is unfit;
/// `#[row(round2)]` for a float rounded to two decimals, and `#[row(required)]` for a column that
/// is never NULL though its type could be: a row where it is NULL is unfit.
#[proc_macro_derive(Row, attributes(row))]
pub fn derive_row(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    row::expand(&input).unwrap_or_else(syn::Error::into_compile_error).into()
}
