//! The `milena` binary again, for the crash test to run as a process of its own.

use std::process::ExitCode;

fn main() -> ExitCode {
    milena_broker::cli::run()
}
