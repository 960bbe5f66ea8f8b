//! The `milena` binary.

use std::process::ExitCode;

fn main() -> ExitCode {
    milena_broker::cli::run()
}
