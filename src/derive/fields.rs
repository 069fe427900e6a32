//! What both derives ask of their input: the named fields of a struct without parameters.

use syn::punctuated::Punctuated;
use syn::{Data, DeriveInput, Error, Field, Fields, Result, Token};

/// The fields, or an error at the place that is wrong.
pub(crate) fn named<'a>(
    input: &'a DeriveInput,
    derive: &str,
) -> Result<&'a Punctuated<Field, Token![,]>> {
    let wrong = |what: &str| {
        let text = format!("`{derive}` is derived for structs with named fields; this is {what}");
        Err(Error::new_spanned(&input.ident, text))
    };
    if !input.generics.params.is_empty() {
        let text = format!("`{derive}` is derived for structs without parameters");
        return Err(Error::new_spanned(&input.generics, text));
    }
    match &input.data {
        Data::Struct(data) => match &data.fields {
            Fields::Named(fields) => Ok(&fields.named),
            Fields::Unnamed(_) => wrong("a tuple struct"),
            Fields::Unit => wrong("a struct without fields"),
        },
        Data::Enum(_) => wrong("an enum"),
        Data::Union(_) => wrong("a union"),
    }
}
