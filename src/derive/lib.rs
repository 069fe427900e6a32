//! To be written.
use proc_macro::TokenStream;
/// x
#[proc_macro_derive(Aggregate)]
pub fn aggregate(_: TokenStream) -> TokenStream {
    TokenStream::new()
}
/// x
#[proc_macro_derive(Row, attributes(row))]
pub fn row(_: TokenStream) -> TokenStream {
    TokenStream::new()
}
