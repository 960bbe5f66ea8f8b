//! Small text files that are replaced whole: temporary file, fsync, rename, fsync of the directory.
//! A crash leaves the old contents or the new ones, never a mixture.
//!
//! Kafka's checkpoints are lines of UTF-8: a version (0), the number of entries, the entries.
//! Kafka reads every line to the end for an entry. So the checksum of an offset checkpoint is the
//! last of its entries, of a topic that cannot be: Kafka finds no log that it is about. A file
//! without one, as Kafka writes it, is recognised as damaged by its form alone. Epochs have none;
//! they are held against the log.
//!
//! | file                               | entry                              |
//! |------------------------------------|------------------------------------|
//! | `recovery-point-offset-checkpoint` | `topic partition offset`           |
//! | `log-start-offset-checkpoint`      | `topic partition offset`           |
//! | `replication-offset-checkpoint`    | `topic partition offset`           |
//! | `cleaner-offset-checkpoint`        | `topic partition offset`           |
//! | `leader-epoch-checkpoint`          | `epoch startOffset`                |

use std::{
    collections::BTreeMap,
    fmt::Write,
    io,
    io::{ErrorKind, IoSlice},
    path::{Path, PathBuf},
};

use milena_protocol::Offset;

use crate::{
    fs::{Disk, Mode},
    planted::{Bug, is_planted},
};

/// What reading a small file found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found<T> {
    Whole(T),
    Absent,
    /// There, but not what was once written.
    Damaged {
        reason: String,
    },
}

impl<T> Found<T> {
    /// The value, if it was found whole: for those who recompute it anyway.
    pub fn whole(self) -> Option<T> {
        match self {
            Self::Whole(value) => Some(value),
            Self::Absent | Self::Damaged { .. } => None,
        }
    }

    /// Interprets what was found; `read` says what is wrong where it cannot.
    pub fn and_then<U>(self, read: impl FnOnce(T) -> Result<U, String>) -> Found<U> {
        match self {
            Self::Whole(value) => match read(value) {
                Ok(value) => Found::Whole(value),
                Err(reason) => Found::Damaged { reason },
            },
            Self::Absent => Found::Absent,
            Self::Damaged { reason } => Found::Damaged { reason },
        }
    }
}

/// A topic and the index of its partition.
pub(crate) type Key = (String, i32);

/// An offset for each (topic, partition).
pub type Offsets = BTreeMap<Key, Offset>;

/// Reads one of the offset checkpoints.
pub fn read_offsets(disk: &dyn Disk, path: &Path) -> io::Result<Found<Offsets>> {
    Ok(read_text(disk, path)?.and_then(|text| {
        let mut entries = parse_lines(&text, parse_offset)?;
        if let Some((checked, sum)) = text.rsplit_once(CHECKSUM) {
            if sum.trim_end() != checksum(checked) {
                return Err("the checksum is wrong".into());
            }
            entries.pop();
        }
        let count = entries.len();
        let offsets: Offsets = entries.into_iter().collect();
        if offsets.len() == count { Ok(offsets) } else { Err("a partition is there twice".into()) }
    }))
}

/// Replaces one of the offset checkpoints.
pub fn write_offsets(disk: &dyn Disk, path: &Path, offsets: &Offsets) -> io::Result<()> {
    let lines = offsets
        .iter()
        .map(|((topic, partition), offset)| format!("{topic} {partition} {}", offset.0));
    let mut text = text_of(offsets.len() + 1, lines);
    let checksum = checksum(&text);
    // Writing to a string cannot fail.
    let _ = writeln!(text, "{CHECKSUM}{checksum}");
    replace(disk, path, text.as_bytes())
}

/// Reads a checkpoint whose entries `parse` reads, each from its words.
pub(crate) fn read_lines<T>(
    disk: &dyn Disk,
    path: &Path,
    parse: impl Fn(&[&str]) -> Option<T>,
) -> io::Result<Found<Vec<T>>> {
    Ok(read_text(disk, path)?.and_then(|text| parse_lines(&text, parse)))
}

/// Replaces a checkpoint by one of these entries.
pub(crate) fn write_lines(
    disk: &dyn Disk,
    path: &Path,
    lines: impl ExactSizeIterator<Item = String>,
) -> io::Result<()> {
    replace(disk, path, text_of(lines.len(), lines).as_bytes())
}

fn parse_lines<T>(text: &str, parse: impl Fn(&[&str]) -> Option<T>) -> Result<Vec<T>, String> {
    let mut lines = text.lines();
    if lines.next() != Some("0") {
        return Err("the version is not 0".to_owned());
    }
    let count = lines.next().and_then(|count| count.parse::<usize>().ok());
    let count = count.ok_or("the number of entries cannot be read")?;
    let mut entries = Vec::new();
    for line in lines {
        let words: Vec<&str> = line.split_ascii_whitespace().collect();
        entries.push(parse(&words).ok_or_else(|| format!("line {line:?} cannot be read"))?);
    }
    if entries.len() != count {
        return Err(format!("{count} entries expected, {} found", entries.len()));
    }
    Ok(entries)
}

fn text_of(count: usize, lines: impl Iterator<Item = String>) -> String {
    let mut text = format!("0\n{count}\n");
    for line in lines {
        text.push_str(&line);
        text.push('\n');
    }
    text
}

fn checksum(text: &str) -> String {
    crc32c::crc32c(text.as_bytes()).to_string()
}

/// Makes `contents` all that is in the file, durably, or leaves the file as it was.
pub fn replace(disk: &dyn Disk, path: &Path, contents: &[u8]) -> io::Result<()> {
    let temporary = temporary(path);
    let written =
        write_temporary(disk, &temporary, contents).and_then(|()| disk.rename(&temporary, path));
    if let Err(error) = written {
        // Frees the space on a full disk; the next attempt does without.
        let _ = disk.remove_file(&temporary);
        return Err(error);
    }
    path.parent().map_or(Ok(()), |dir| disk.sync_dir(dir))
}

/// The text of a small file.
pub(crate) fn read_text(disk: &dyn Disk, path: &Path) -> io::Result<Found<String>> {
    let file = match disk.open(path, Mode::Read) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Found::Absent),
        opened => opened?,
    };
    let bytes = file.len()?;
    let Some(len) = usize::try_from(bytes).ok().filter(|&len| len <= FILE_BYTES_MAX) else {
        return Ok(Found::Damaged { reason: format!("{bytes} bytes are too many") });
    };
    let mut contents = vec![0; len];
    file.read_exact_at(&mut contents, 0)?;
    Ok(Found::Whole(contents)
        .and_then(|contents| String::from_utf8(contents).map_err(|_| "not UTF-8".to_owned())))
}

fn write_temporary(disk: &dyn Disk, path: &Path, contents: &[u8]) -> io::Result<()> {
    let file = disk.open(path, Mode::CreateOrOpen)?;
    file.set_len(0)?;
    file.write_all_at(&mut [IoSlice::new(contents)], 0)?;
    if is_planted(Bug::CheckpointNotSynced) { Ok(()) } else { file.sync_data() }
}

/// The key of an entry that says of a log what `before` stands for.
pub(crate) fn entry_of(before: &str, (topic, partition): &Key) -> Key {
    (format!("{before}{topic}"), *partition)
}

/// Adds entries of that kind to others.
pub(crate) fn add_entries(all: &mut Offsets, before: &str, entries: &Offsets) {
    all.extend(entries.iter().map(|(key, offset)| (entry_of(before, key), *offset)));
}

/// Takes the entries of that kind out of all.
pub(crate) fn take_entries(all: &mut Offsets, before: &str) -> Offsets {
    let taken = all.extract_if(.., |(topic, _), _| topic.starts_with(before));
    let named = taken.filter_map(|((topic, partition), offset)| {
        Some(((topic.strip_prefix(before)?.to_owned(), partition), offset))
    });
    named.collect()
}

fn temporary(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".tmp");
    name.into()
}

fn parse_offset(words: &[&str]) -> Option<(Key, Offset)> {
    let [topic, partition, offset] = words else { return None };
    let partition = partition.parse().ok().filter(|&partition: &i32| partition >= 0)?;
    let offset = offset.parse().ok().filter(|&offset: &i64| offset >= 0)?;
    // Two letters must be wrong to make a topic of it.
    let is_checksum = CHECKSUM.trim_end() == format!("{topic} {partition}");
    let name = [START_OF, GAPS_OF].iter().find_map(|before| topic.strip_prefix(before));
    let name = name.unwrap_or(topic);
    if name.contains('/') && !is_checksum {
        return None;
    }
    Some((((*topic).to_owned(), partition), Offset(offset)))
}

/// Before a topic's name: the entry says where the log begins, whatever the others are about.
pub(crate) const START_OF: &str = "//start/";
/// The same: the entry says below where records of the log may be missing.
pub(crate) const GAPS_OF: &str = "//gaps/";
/// What stands before the checksum of all that is above it.
const CHECKSUM: &str = "//crc32c 0 ";
/// A million partitions with long names.
const FILE_BYTES_MAX: usize = 256 << 20;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fs::sim::{Call, Fault, SimDisk};

    const PATH: &str = "/d/recovery-point-offset-checkpoint";

    fn disk() -> SimDisk {
        let disk = SimDisk::new();
        disk.create_dir_all(Path::new("/d")).unwrap();
        disk.sync_dir(Path::new("/")).unwrap();
        disk
    }

    fn offsets(offset: i64) -> Offsets {
        let key = |topic: &str, partition| (topic.to_owned(), partition);
        Offsets::from([(key("a.b", 0), Offset(offset)), (key("t-1", 12), Offset(offset + 1))])
    }

    fn read(disk: &SimDisk) -> Found<Offsets> {
        read_offsets(disk, Path::new(PATH)).unwrap()
    }

    fn write(disk: &SimDisk, offset: i64) -> io::Result<()> {
        write_offsets(disk, Path::new(PATH), &offsets(offset))
    }

    #[test]
    fn offsets_are_kept_in_the_form_that_kafka_reads() {
        let disk = disk();
        assert_eq!(read(&disk), Found::Absent);
        write(&disk, 41).unwrap();
        let text = Found::Whole("0\n3\na.b 0 41\nt-1 12 42\n//crc32c 0 4071093488\n".to_owned());
        assert_eq!(read_text(&disk, Path::new(PATH)).unwrap(), text);
        assert_eq!(read(&disk), Found::Whole(offsets(41)));
        let kafkas = b"0\n2\na.b 0 41\nt-1 12 42\n";
        replace(&disk, Path::new(PATH), kafkas).unwrap();
        assert_eq!(read(&disk), Found::Whole(offsets(41)));
    }

    #[test]
    fn a_damaged_checkpoint_is_not_an_absent_one() {
        let disk = disk();
        for text in [
            "",
            "1\n0\n",
            "0\n",
            "0\n-1\n",
            "0\n1\n",
            "0\n1\na 0 1\nb 0 1\n",
            "0\n1\na 0\n",
            "0\n1\na b 1\n",
            "0\n1\na 0 -1\n",
            "0\n2\na 0 1\na 0 2\n",
            "0\n1\na 0 99999999999999999999\n",
        ] {
            replace(&disk, Path::new(PATH), text.as_bytes()).unwrap();
            let found = read(&disk);
            assert!(matches!(found, Found::Damaged { .. }), "{text:?}: {found:?}");
        }
        replace(&disk, Path::new(PATH), &[0xff; 9]).unwrap();
        assert_eq!(read(&disk), Found::Damaged { reason: "not UTF-8".to_owned() });
    }

    #[test]
    fn no_flipped_bit_changes_an_offset() {
        let disk = disk();
        write(&disk, 7).unwrap();
        let Found::Whole(text) = read_text(&disk, Path::new(PATH)).unwrap() else { panic!() };
        for bit in 0..8 * text.len() {
            let mut bytes = text.clone().into_bytes();
            bytes[bit / 8] ^= 1 << (bit % 8);
            replace(&disk, Path::new(PATH), &bytes).unwrap();
            let found = read(&disk);
            let sound = matches!(found, Found::Damaged { .. }) || found == Found::Whole(offsets(7));
            assert!(sound, "bit {bit}: {found:?}");
        }
    }

    #[test]
    fn a_crash_at_any_point_leaves_the_old_contents_or_the_new() {
        let before = disk();
        write(&before, 1).unwrap();
        let steps = {
            let trial = before.fork();
            write(&trial, 2).unwrap();
            trial.changes() - before.changes()
        };
        assert_eq!(steps, 6, "create, cut, write, sync, rename, sync of the directory");
        for step in 0..=steps {
            for seed in 0..50 {
                let disk = before.fork();
                disk.fail_after(step);
                let finished = write(&disk, 2).is_ok();
                disk.crash(seed);
                let found = read(&disk);
                let is_new = found == Found::Whole(offsets(2));
                assert!(is_new || found == Found::Whole(offsets(1)), "step {step}: {found:?}");
                assert!(is_new || !finished, "step {step}: finished, but not there");
                write(&disk, 3).unwrap();
                assert_eq!(read(&disk), Found::Whole(offsets(3)));
            }
        }
    }

    #[test]
    fn a_failed_write_leaves_the_old_contents_and_no_litter() {
        for call in [Call::Write, Call::Sync, Call::Rename] {
            let disk = disk();
            write(&disk, 1).unwrap();
            disk.inject(Fault::once(call, "checkpoint"));
            assert!(write(&disk, 2).is_err());
            assert_eq!(read(&disk), Found::Whole(offsets(1)));
            assert_eq!(disk.read_dir(Path::new("/d")).unwrap().len(), 1);
        }
    }
}
