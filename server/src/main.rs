//! The `techo` binary.

use std::process::ExitCode;

fn main() -> ExitCode {
    techo_server::cli::main()
}
