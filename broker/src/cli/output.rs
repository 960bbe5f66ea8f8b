//! What a person or a script reads: tables, JSON, and one line for an error.

use std::io::{self, Write};

use serde_json::Value;

/// Prints one line to stdout.
///
/// # Errors
/// Whatever stdout reports; a closed pipe among them.
pub(super) fn line(text: &str) -> io::Result<()> {
    writeln!(io::stdout().lock(), "{text}")
}

pub(super) fn json(value: &Value) -> io::Result<()> {
    line(&format!("{value:#}"))
}

#[expect(clippy::print_stderr, reason = "the command line speaks to a person")]
pub(super) fn error(error: &anyhow::Error) {
    eprintln!("milena: {error:#}");
}

/// Whoever read our output went away: nothing to report.
pub(super) fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

/// Columns as wide as their widest cell, two spaces apart.
pub(super) fn table(header: &[&str], rows: &[Vec<String>]) -> io::Result<()> {
    let mut widths: Vec<usize> = header.iter().map(|cell| cell.chars().count()).collect();
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut out = io::stdout().lock();
    let header: Vec<String> = header.iter().map(|cell| (*cell).to_owned()).collect();
    for row in std::iter::once(&header).chain(rows) {
        let mut text = String::new();
        for (width, cell) in widths.iter().zip(row) {
            text.push_str(cell);
            text.extend(std::iter::repeat_n(' ', width - cell.chars().count() + COLUMN_GAP));
        }
        writeln!(out, "{}", text.trim_end())?;
    }
    Ok(())
}

const COLUMN_GAP: usize = 2;
