//! `#[derive(Aggregate)]`: merge, absorb and weight, field by field.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{DeriveInput, Result};

use crate::fields;

pub(crate) fn expand(input: &DeriveInput) -> Result<TokenStream> {
    let fields = fields::named(input, "Aggregate")?;
    let (mut merges, mut absorbs, mut weights) = (Vec::new(), Vec::new(), Vec::new());
    for field in fields {
        let name = &field.ident;
        // A field that is no aggregate is shown at its type.
        let aggregate = quote_spanned!(field.ty.span()=> ::highwater::aggregate::Aggregate);
        merges.push(quote!(#aggregate::merge(&mut self.#name, &other.#name);));
        absorbs.push(quote!(#aggregate::absorb(&mut self.#name, other.#name);));
        weights.push(quote!(#aggregate::weight(&self.#name)));
    }
    let name = &input.ident;
    Ok(quote! {
        #[automatically_derived]
        impl ::highwater::aggregate::Aggregate for #name {
            #[inline]
            fn merge(&mut self, other: &Self) {
                #(#merges)*
            }

            #[inline]
            fn absorb(&mut self, other: Self) {
                #(#absorbs)*
            }

            #[inline]
            fn weight(&self) -> usize {
                0 #(+ #weights)*
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The error of a derive, or "" for none.
    fn error(input: &str) -> String {
        let input = syn::parse_str(input).unwrap();
        expand(&input).err().map(|error| error.to_string()).unwrap_or_default()
    }

    #[test]
    fn what_has_no_named_fields_is_refused() {
        let only = "`Aggregate` is derived for structs";
        assert_eq!(error("struct Good { count: Count }"), "");
        let check = |input: &str, expect: &str| assert_eq!(error(input), format!("{only}{expect}"));
        check("enum Wrong { A }", " with named fields; this is an enum");
        check("struct Wrong(Count);", " with named fields; this is a tuple struct");
        check("struct Wrong;", " with named fields; this is a struct without fields");
        check("struct Wrong<T> { sum: Sum<T> }", " without parameters");
    }
}
