//! What a person or a script reads: tables, JSON, and one line for an error.

use std::io::{self, Write};

use bytes::Bytes;
use milena_protocol::records::Header;
use serde_json::{Map, Value, json};

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

/// What goes on, in one line that the next one replaces.
#[expect(clippy::print_stderr, reason = "the command line speaks to a person")]
pub(super) fn progress(text: &str) {
    eprint!("\r\x1b[2K{text}");
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

/// A record's key, value and headers as members of a JSON object.
pub(super) fn insert_record(
    object: &mut Map<String, Value>,
    key: Option<&Bytes>,
    value: Option<&Bytes>,
    headers: &[Header],
) {
    insert_bytes(object, "key", key);
    insert_bytes(object, "value", value);
    if !headers.is_empty() {
        // A list, since names may repeat and their order counts.
        let header = |header: &Header| {
            let mut object = Map::new();
            object.insert("name".into(), json!(header.name()));
            insert_bytes(&mut object, "value", header.value.as_ref());
            Value::Object(object)
        };
        object.insert("headers".into(), headers.iter().map(header).collect());
    }
}

/// Text as a string; bytes that are not UTF-8 in hexadecimal under `<name>_hex`.
fn insert_bytes(object: &mut Map<String, Value>, name: &str, bytes: Option<&Bytes>) {
    match bytes.map(|bytes| std::str::from_utf8(bytes).map_err(|_| bytes)) {
        None => object.insert(name.into(), Value::Null),
        Some(Ok(text)) => object.insert(name.into(), json!(text)),
        Some(Err(bytes)) => {
            let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            object.insert(format!("{name}_hex"), json!(hex))
        }
    };
}

const COLUMN_GAP: usize = 2;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_that_are_no_text_are_shown_in_hexadecimal() {
        let mut object = Map::new();
        insert_bytes(&mut object, "value", Some(&Bytes::from_static(&[0xff, 0x00])));
        assert_eq!(Value::Object(object), json!({ "value_hex": "ff00" }));
    }
}
