//! Finishes what a crash interrupted: deletions, and compactions that had their result ready.

use std::{io, path::Path};

use milena_protocol::Offset;
use tracing::info;

use crate::{
    fs::{Disk, Mode},
    segment::{
        Scan, ScanError,
        name::{self, CLEANED, DELETED, Kind, SWAP},
    },
};

/// Removes files that were deleted already and results of compaction that were not finished; puts
/// finished ones in the place of what they cover. Returns how many files went.
pub(super) fn sweep(disk: &dyn Disk, dir: &Path) -> io::Result<usize> {
    let names: Vec<String> = disk.read_dir(dir)?.into_iter().map(|entry| entry.name).collect();
    let mut removed = 0;
    for name in names.iter().filter(|name| name.ends_with(DELETED) || name.ends_with(CLEANED)) {
        disk.remove_file(&dir.join(name))?;
        removed += 1;
    }
    let swaps: Vec<(Offset, Kind, &String)> = names
        .iter()
        .filter_map(|name| {
            let (base, kind) = name::parse(name.strip_suffix(SWAP)?)?;
            Some((base, kind, name))
        })
        .collect();
    for &(base, _, file) in swaps.iter().filter(|(_, kind, _)| *kind == Kind::Log) {
        let end = end_of(disk, &dir.join(file), base)?;
        for name in &names {
            if let Some((covered, kind)) = name::parse(name)
                && (base..end).contains(&covered)
                // What producers had written before the first segment is still true.
                && !(kind == Kind::Snapshot && covered == base)
            {
                disk.remove_file(&dir.join(name))?;
                removed += 1;
            }
        }
        info!(dir = %dir.display(), base = base.0, end = end.0, "finished a compaction");
    }
    // The log last: until it has its name, the rest is swept up again.
    for of_log in [false, true] {
        for &(base, kind, file) in
            swaps.iter().filter(|(_, kind, _)| (*kind == Kind::Log) == of_log)
        {
            let has_log = swaps.iter().any(|&(other, kind, _)| other == base && kind == Kind::Log);
            if has_log {
                disk.rename(&dir.join(file), &dir.join(name::file_name(base, kind)))?;
            } else {
                disk.remove_file(&dir.join(file))?;
                removed += 1;
            }
        }
    }
    if removed > 0 || !swaps.is_empty() {
        disk.sync_dir(dir)?;
    }
    Ok(removed)
}

/// The offset after the last one that a finished compaction covers.
fn end_of(disk: &dyn Disk, path: &Path, base: Offset) -> io::Result<Offset> {
    let file = disk.open(path, Mode::Read)?;
    let mut end = base.next();
    let mut scan = Scan::new(&*file, 0, file.len()?);
    loop {
        match scan.next() {
            Ok(Some(batch)) => end = batch.header.last_offset().next(),
            Ok(None) => return Ok(end),
            Err(ScanError::Io(error)) => return Err(error),
            Err(ScanError::Bad { what, .. }) => {
                return Err(io::Error::new(io::ErrorKind::InvalidData, what));
            }
        }
    }
}
