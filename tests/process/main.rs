//! The broker as a process of its own: what it takes of the machine, and what it does when the
//! machine has no more to give.

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

use std::{path::Path, sync::Arc};

use milena_storage::{
    fs::{Disk, RealDisk},
    verify::{Depth, Finding, verify},
};
use milena_tests::Program;

fn program() -> Program {
    Program::new(env!("CARGO_BIN_EXE_milena-to-kill"))
}

/// All that `milena log verify` has to say.
fn findings(data: &Path) -> Vec<Finding> {
    let disk: Arc<dyn Disk> = Arc::new(RealDisk);
    let mut findings = Vec::new();
    verify(&disk, data, Depth::Records, &mut |finding| findings.push(finding)).unwrap();
    findings
}
