//! Holds what is shipped against the floor of `deny.toml` on every run of the tests: `cargo-deny` is
//! not everywhere, and the list of advisories is fetched.

#![allow(
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test that reads the tree"
)]

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
};

/// The crates that make the binary.
const SHIPPED: [&str; 3] = ["protocol", "storage", "broker"];

#[test]
fn no_shipped_dependency_is_below_the_floor() {
    let floor = floor();
    assert!(floor.len() >= 10, "{floor:?}");
    let shipped = shipped();
    assert!(shipped.len() > 50, "{shipped:?}");
    for (name, version) in &shipped {
        let Some(least) = floor.get(name) else { continue };
        let enough = least.as_ref().is_some_and(|least| numbers(version) >= numbers(least));
        assert!(enough, "{name} {version} is shipped; deny.toml asks for {least:?}");
    }
}

#[test]
fn versions_are_compared_by_their_numbers() {
    assert!(numbers("1.10.0") > numbers("1.9.3"));
    assert!(numbers("0.12.1+zstd.1.5.7") == numbers("0.12.1"));
}

/// The least version of each crate that deny.toml names, `None` where none will do.
fn floor() -> BTreeMap<String, Option<String>> {
    let text = read("deny.toml");
    let entries = text.lines().filter_map(|line| line.trim().strip_prefix("{ crate = \""));
    let named = entries.map(|entry| entry.split('"').next().unwrap());
    named
        .map(|named| match named.split_once("@<") {
            Some((name, least)) => (name.to_owned(), Some(least.to_owned())),
            None => (named.to_owned(), None),
        })
        .collect()
}

/// Every package that the binary is made of, by the lock file: what the manifests name as
/// dependencies, and what these need. Those of tests alone are left out.
fn shipped() -> BTreeSet<(String, String)> {
    let lock = packages();
    let mut wanted: Vec<String> = SHIPPED.into_iter().flat_map(|it| named_by(it, &lock)).collect();
    let mut shipped = BTreeSet::new();
    while let Some(next) = wanted.pop() {
        let (name, version) = next.split_once(' ').unwrap_or((&next, ""));
        if name.starts_with("milena-") {
            continue;
        }
        let found = lock.iter().filter(|it| it.name == name && it.version.starts_with(version));
        for package in found {
            if shipped.insert((package.name.clone(), package.version.clone())) {
                wanted.extend(package.dependencies.iter().cloned());
            }
        }
    }
    shipped
}

struct Package {
    name: String,
    version: String,
    /// Names, with versions where a name is not enough.
    dependencies: Vec<String>,
}

fn packages() -> Vec<Package> {
    let value_of = |entry: &str, key: &str| {
        let line = entry.lines().find_map(|line| line.strip_prefix(key));
        line.map(|line| line.trim_matches(['"', ' ', '=']).to_owned())
    };
    let entries = read("Cargo.lock");
    let entries = entries.split("[[package]]").skip(1);
    entries
        .map(|entry| Package {
            name: value_of(entry, "name = ").unwrap(),
            version: value_of(entry, "version = ").unwrap(),
            dependencies: entry
                .lines()
                .filter_map(|line| line.strip_prefix(" \""))
                .map(|line| line.trim_end_matches(['"', ',']).to_owned())
                .collect(),
        })
        .collect()
}

/// What a crate's manifest names under `[dependencies]`, as the lock file has it.
fn named_by(directory: &str, lock: &[Package]) -> Vec<String> {
    let manifest = read(&format!("{directory}/Cargo.toml"));
    let section = manifest.split("[dependencies]").nth(1).unwrap();
    let section = section.split("\n[").next().unwrap();
    let names: BTreeSet<_> =
        section.lines().filter_map(|line| line.split(['.', ' ', '=']).next()).collect();
    let own = lock.iter().find(|it| it.name == format!("milena-{directory}")).unwrap();
    let named = own.dependencies.iter();
    named.filter(|it| it.split(' ').next().is_some_and(|it| names.contains(it))).cloned().collect()
}

fn numbers(version: &str) -> Vec<u64> {
    let plain = version.split(['+', '-']).next().unwrap();
    plain.split('.').map(|number| number.parse().unwrap()).collect()
}

fn read(path: &str) -> String {
    fs::read_to_string(format!("{}/../{path}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}
