//! Rules of the house that no compiler knows: who may import whom, how long a file may be, what
//! must not stand in the tree.

#![allow(
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    reason = "reads the tree that it checks"
)]

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

/// Modules of the broker by level; a module may import from lower levels and from itself.
const LEVELS: &[(&str, u8)] = &[
    ("main", 5),
    ("cli", 5),
    ("wiring", 5),
    ("network", 4),
    ("http", 4),
    ("dispatch", 3),
    ("handlers", 3),
    ("services", 3),
    ("replica", 2),
    ("coordinator", 2),
    ("share", 2),
    ("controller", 2),
    ("metadata", 1),
    ("purgatory", 1),
    ("quota", 1),
    ("security", 1),
    ("client", 1),
    ("config", 0),
    ("clock", 0),
    ("tasks", 0),
    ("metrics", 0),
];

/// Edges within one level that are allowed.
const SIDEWAYS: &[(&str, &str)] = &[
    ("dispatch", "handlers"),
    ("dispatch", "services"),
    ("handlers", "services"),
    ("share", "replica"),
    ("security", "metadata"),
    ("quota", "metadata"),
    ("main", "cli"),
    ("cli", "wiring"),
];

/// What each crate may name of the others.
const CRATES: &[(&str, &[&str])] = &[
    ("protocol", &["tokio", "milena_storage", "milena_broker", "memmap2", "tracing"]),
    ("storage", &["tokio", "milena_broker"]),
];

const LINES_MAX: usize = 900;

#[test]
fn modules_import_downward_only() {
    let levels: BTreeMap<&str, u8> = LEVELS.iter().copied().collect();
    let mut faults = Vec::new();
    for (file, text) in sources(&root().join("broker/src")) {
        let from = module_of(&file);
        if from == "lib" {
            continue;
        }
        let Some(&level) = levels.get(from.as_str()) else {
            faults.push(format!("{}: module `{from}` has no level", file.display()));
            continue;
        };
        for to in imported_modules(&text) {
            let allowed = to == from
                || SIDEWAYS.contains(&(from.as_str(), to.as_str()))
                || levels.get(to.as_str()).is_some_and(|&below| below < level);
            if !allowed {
                faults.push(format!("{}: `{from}` may not import `{to}`", file.display()));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn crates_keep_to_their_side() {
    let mut faults = Vec::new();
    for &(member, forbidden) in CRATES {
        for (file, text) in sources(&root().join(member).join("src")) {
            for name in forbidden {
                let uses = [format!("use {name}"), format!("{name}::")];
                if text.lines().any(|line| {
                    !line.trim_start().starts_with("//") && uses.iter().any(|u| line.contains(u))
                }) {
                    faults.push(format!("{}: names `{name}`", file.display()));
                }
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn files_open_with_their_purpose_and_stay_readable() {
    let mut faults = Vec::new();
    for (file, text) in sources(&root()) {
        if !text.starts_with("//!") {
            faults.push(format!("{}: does not open with `//!`", file.display()));
        }
        let lines = text.lines().count();
        if lines > LINES_MAX {
            faults.push(format!("{}: {lines} lines, more than {LINES_MAX}", file.display()));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn nothing_is_left_unfinished() {
    // Spelled in halves, so that this file does not find itself.
    let marks = [["TO", "DO"].concat(), ["FIX", "ME"].concat()];
    let mut faults = Vec::new();
    for (file, text) in sources(&root()) {
        for (at, line) in text.lines().enumerate() {
            if marks.iter().any(|mark| line.contains(mark.as_str())) {
                faults.push(format!("{}:{}: {}", file.display(), at + 1, line.trim()));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn links_between_documents_lead_somewhere() {
    let mut faults = Vec::new();
    for file in files(&root(), "md") {
        let text = fs::read_to_string(&file).expect("read a document");
        for target in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let path = target.split('#').next().unwrap_or_default();
            if path.is_empty() || target.contains("://") {
                continue;
            }
            if !file.parent().is_some_and(|folder| folder.join(path).exists()) {
                faults.push(format!("{}: dead link to {target}", file.display()));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// First path segment after each `crate::` that code (not a comment) names.
fn imported_modules(text: &str) -> Vec<String> {
    let code: String = text
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .flat_map(|line| [line, "\n"])
        .collect();
    let mut found = Vec::new();
    for (at, _) in code.match_indices("crate::") {
        // `$crate::` in a macro names the same crate; `::milena_x` is another one.
        let rest = &code[at + "crate::".len()..];
        if let Some(group) = rest.strip_prefix('{') {
            found.extend(top_level_names(group));
        } else {
            found.push(leading_name(rest));
        }
    }
    found.retain(|name| !name.is_empty() && LEVELS.iter().any(|(known, _)| known == name));
    found
}

fn top_level_names(group: &str) -> Vec<String> {
    let mut names = vec![leading_name(group.trim_start())];
    let mut depth = 0_i32;
    for (at, letter) in group.char_indices() {
        match letter {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => names.push(leading_name(group[at + 1..].trim_start())),
            _ => {}
        }
    }
    names
}

fn leading_name(text: &str) -> String {
    text.chars().take_while(|letter| letter.is_ascii_alphanumeric() || *letter == '_').collect()
}

fn module_of(file: &Path) -> String {
    let inside = file.strip_prefix(root().join("broker/src")).expect("a file of the broker");
    let first = inside.components().next().expect("a path has a part");
    first.as_os_str().to_string_lossy().trim_end_matches(".rs").to_owned()
}

fn sources(folder: &Path) -> Vec<(PathBuf, String)> {
    let mut found: Vec<_> = files(folder, "rs")
        .into_iter()
        .map(|file| {
            let text = fs::read_to_string(&file).expect("read a source file");
            (file, text)
        })
        .collect();
    found.sort();
    found
}

fn files(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("list a folder of the project") {
        let path = entry.expect("list a folder of the project").path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if path.is_dir() {
            if !name.starts_with('.') && !SKIPPED.contains(&name.as_str()) {
                found.extend(files(&path, extension));
            }
        } else if path.extension().is_some_and(|e| e == extension) {
            found.push(path);
        }
    }
    found
}

const SKIPPED: &[&str] = &["target", "node_modules", "milena-data"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().expect("the project's folder")
}
