//! `#[derive(Row)]`: the columns of a struct, and its cells.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::ext::IdentExt;
use syn::spanned::Spanned;
use syn::{DeriveInput, Error, Field, LitStr, Result};

use crate::fields;

pub(crate) fn expand(input: &DeriveInput) -> Result<TokenStream> {
    let (mut columns, mut puts, mut nulls) = (Vec::new(), Vec::new(), Vec::new());
    for field in fields::named(input, "Row")? {
        let options = Options::of(field)?;
        if options.skip {
            continue;
        }
        let (name, kind, column) = (&field.ident, &field.ty, options.column(field));
        // A field that is no value of a row is shown at its type.
        let value = quote_spanned!(kind.span()=> <#kind as ::highwater::row::Field>);
        let (then_column, then_cell) = options.adjust(&column);
        columns.push(quote!(#value::columns(#column, nullable, columns); #then_column));
        puts.push(quote!(#value::put(&self.#name, cells); #then_cell));
        nulls.push(quote!(#value::put_null(cells);));
    }
    let name = &input.ident;
    let columns_type = quote!(::std::vec::Vec<::highwater::row::Column>);
    Ok(quote! {
        #[automatically_derived]
        impl ::highwater::row::Row for #name {
            fn columns() -> #columns_type {
                let mut columns = ::std::vec::Vec::new();
                <Self as ::highwater::row::Field>::columns("", false, &mut columns);
                columns
            }

            fn put(&self, cells: &mut ::highwater::row::Cells) {
                #(#puts)*
            }
        }

        #[automatically_derived]
        impl ::highwater::row::Field for #name {
            fn columns(_name: &str, nullable: bool, columns: &mut #columns_type) {
                #(#columns)*
            }

            fn put(&self, cells: &mut ::highwater::row::Cells) {
                ::highwater::row::Row::put(self, cells);
            }

            fn put_null(cells: &mut ::highwater::row::Cells) {
                #(#nulls)*
            }
        }
    })
}

/// What the attributes of a field ask for.
#[derive(Default)]
struct Options {
    rename: Option<LitStr>,
    skip: bool,
    narrow: bool,
    round2: bool,
    required: bool,
}

impl Options {
    fn of(field: &Field) -> Result<Options> {
        let mut options = Options::default();
        for attribute in field.attrs.iter().filter(|attribute| attribute.path().is_ident("row")) {
            attribute.parse_nested_meta(|meta| {
                if meta.path.is_ident("rename") {
                    options.rename = Some(meta.value()?.parse()?);
                } else if meta.path.is_ident("skip") {
                    options.skip = true;
                } else if meta.path.is_ident("i32") {
                    options.narrow = true;
                } else if meta.path.is_ident("round2") {
                    options.round2 = true;
                } else if meta.path.is_ident("required") {
                    options.required = true;
                } else {
                    return Err(meta.error(KNOWN));
                }
                Ok(())
            })?;
        }
        let adjusted = options.narrow || options.round2 || options.required;
        if options.skip && (adjusted || options.rename.is_some()) {
            return Err(Error::new_spanned(field, "a field that is skipped has no column"));
        }
        Ok(options)
    }

    /// The name of the column.
    fn column(&self, field: &Field) -> LitStr {
        if let Some(name) = &self.rename {
            return LitStr::new(&name.value(), name.span());
        }
        let name = field.ident.as_ref().map(|name| name.unraw().to_string());
        LitStr::new(&name.unwrap_or_default(), field.ident.span())
    }

    /// What follows the column, and what follows the cell.
    fn adjust(&self, column: &LitStr) -> (TokenStream, TokenStream) {
        let (mut columns, mut cells) = (TokenStream::new(), TokenStream::new());
        if self.narrow {
            columns.extend(quote!(::highwater::row::Column::narrow(columns);));
            cells.extend(quote!(cells.narrow(#column);));
        }
        if self.round2 {
            cells.extend(quote!(cells.round2();));
        }
        if self.required {
            // What surrounds the row may still make it NULL as a whole.
            columns.extend(quote!(if !nullable {
                ::highwater::row::Column::require(columns);
            }));
            cells.extend(quote!(cells.require(#column);));
        }
        (columns, cells)
    }
}

/// What the attributes of a field may be.
const KNOWN: &str = "a row knows `rename = \"name\"`, `skip`, `i32`, `round2` and `required`";

#[cfg(test)]
mod tests {
    use super::*;

    /// The error of a derive, or "" for none.
    fn error(input: &str) -> String {
        let input = syn::parse_str(input).unwrap();
        expand(&input).err().map(|error| error.to_string()).unwrap_or_default()
    }

    #[test]
    fn attributes_that_nobody_knows_are_refused() {
        assert_eq!(error("struct Good { #[row(rename = \"b\", i32)] a: i64 }"), "");
        assert_eq!(error("struct Good { #[row(round2, required)] a: Option<f64> }"), "");
        assert_eq!(error("struct Wrong { #[row(name = \"b\")] a: i64 }"), KNOWN);
        let skipped = "a field that is skipped has no column";
        assert_eq!(error("struct Wrong { #[row(skip, i32)] a: i64 }"), skipped);
        assert_eq!(error("struct Wrong { #[row(required, skip)] a: i64 }"), skipped);
        assert!(error("enum Wrong { A }").ends_with("this is an enum"));
    }
}
