//! The binary `highwater`.

use std::process::ExitCode;

/// librdkafka allocates each record in one thread and we free it in another: with the allocator of
/// glibc that is a lock which both wait for.
#[cfg(feature = "jemalloc")]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    highwater::cli::main(highwater_dataflows::DATAFLOWS, highwater_datasets::GENERATORS)
}
