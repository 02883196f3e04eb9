//! The `techo` binary.

use std::process::ExitCode;

/// Requests allocate a few hundred small things on whichever thread they run.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    techo_server::cli::main()
}
