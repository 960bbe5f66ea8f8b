//! `docs/COMPATIBILITY.md` says what the dispatch table says.

#![allow(clippy::disallowed_methods, reason = "reads the document that it checks")]

use std::{collections::BTreeMap, fs, path::Path};

use milena_broker::dispatch::{self, Versions};
use milena_protocol::messages::ApiKey;

#[test]
fn the_table_of_apis_is_what_the_broker_advertises() {
    let documented = documented();
    let mut faults = Vec::new();
    let mut advertised = BTreeMap::new();
    for api in dispatch::advertised(Versions::Stable) {
        let name = ApiKey::try_from(api.api_key).expect("a known key").name();
        let versions = format!("{}-{}", api.min_version, api.max_version);
        advertised.insert(api.api_key, (name.to_owned(), versions));
    }
    for (key, served) in &advertised {
        if documented.get(key) != Some(served) {
            faults.push(format!("document | {key} | {} | {} |", served.0, served.1));
        }
    }
    for (key, (name, _)) in &documented {
        if !advertised.contains_key(key) {
            faults.push(format!("{name} ({key}) is documented but not served"));
        }
    }
    assert!(faults.is_empty(), "docs/COMPATIBILITY.md:\n{}", faults.join("\n"));
}

/// Rows `| key | name | versions | ... |` of the document.
fn documented() -> BTreeMap<i16, (String, String)> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/COMPATIBILITY.md");
    let text = fs::read_to_string(path).expect("read the document");
    let mut rows = BTreeMap::new();
    for line in text.lines() {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        if let ["", key, name, versions, ..] = cells.as_slice()
            && let Ok(key) = key.parse()
        {
            rows.insert(key, ((*name).to_owned(), (*versions).to_owned()));
        }
    }
    rows
}
