//! The broker as a process of its own: what it takes of the machine, and what it does when the
//! machine has no more to give.
//!
//! `MILENA_CRASH_BROKER` is another program to run, such as an optimised one.

#![allow(
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "tests of processes and real files, which tell what they had to leave out"
)]

mod bombs;
mod fairness;
mod faults;
mod full_disk;
mod idle;
mod restart;
mod soak;

use std::{env, path::Path, sync::Arc};

use milena_storage::{
    fs::{Disk, RealDisk},
    verify::{Depth, Finding, verify},
};
use milena_tests::Program;

fn program() -> Program {
    let own = env!("CARGO_BIN_EXE_milena-to-kill");
    Program::new(&env::var("MILENA_CRASH_BROKER").unwrap_or_else(|_| own.to_owned()))
}

/// All that `milena log verify` has to say.
fn findings(data: &Path) -> Vec<Finding> {
    let disk: Arc<dyn Disk> = Arc::new(RealDisk);
    let mut findings = Vec::new();
    verify(&disk, data, Depth::Records, &mut |finding| findings.push(finding)).unwrap();
    findings
}

/// How often something is to be done, if the environment says so.
fn number(variable: &str) -> Option<u64> {
    env::var(variable).ok().map(|text| text.parse().expect("a number"))
}
