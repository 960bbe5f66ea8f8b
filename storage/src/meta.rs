//! `meta.properties` and `partition.metadata`: whose directory this is, and whose log.

use std::{fmt, fmt::Write, io, io::IoSlice, path::Path, sync::Arc};

use milena_protocol::Uuid;

use crate::{
    checkpoint::{Found, read_text, replace},
    fs::{Disk, File, Mode},
};

/// What `meta.properties` says of a data directory. Lines of `key=value`, as Java's `Properties`
/// writes them; version 1.
///
/// | key            | value                                              |
/// |----------------|----------------------------------------------------|
/// | `version`      | 1                                                  |
/// | `cluster.id`   | any text, by custom 22 characters of base64        |
/// | `node.id`      | of the broker that the directory belongs to        |
/// | `directory.id` | 22 characters; may be missing (before Kafka 3.7)   |
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MetaProperties {
    pub cluster_id: String,
    pub node_id: i32,
    pub directory_id: Option<Uuid>,
}

/// The directory belongs to somebody else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WrongOwner {
    Cluster { found: String, expected: String },
    Node { found: i32, expected: i32 },
}

impl MetaProperties {
    /// Reads what a data directory says of itself.
    pub fn load(disk: &dyn Disk, dir: &Path) -> io::Result<Found<Self>> {
        Ok(read_text(disk, &dir.join(META_FILE))?.and_then(|text| Self::parse(&text)))
    }

    /// Replaces what a data directory says of itself, durably.
    pub fn save(&self, disk: &dyn Disk, dir: &Path) -> io::Result<()> {
        let mut text = String::new();
        // Writing to a string cannot fail.
        let _ = writeln!(text, "version={META_VERSION}\ncluster.id={}", escape(&self.cluster_id));
        let _ = writeln!(text, "node.id={}", self.node_id);
        if let Some(id) = self.directory_id {
            let _ = writeln!(text, "directory.id={id}");
        }
        replace(disk, &dir.join(META_FILE), text.as_bytes())
    }

    /// Refuses a directory of another cluster (where one is expected) or of another node.
    pub fn check_owner(&self, cluster_id: Option<&str>, node_id: i32) -> Result<(), WrongOwner> {
        if let Some(expected) = cluster_id.filter(|&expected| expected != self.cluster_id) {
            let (found, expected) = (self.cluster_id.clone(), expected.to_owned());
            return Err(WrongOwner::Cluster { found, expected });
        }
        if self.node_id != node_id {
            return Err(WrongOwner::Node { found: self.node_id, expected: node_id });
        }
        Ok(())
    }

    fn parse(text: &str) -> Result<Self, String> {
        let (mut version, mut cluster_id, mut node_id, mut directory_id) = (None, None, None, None);
        for line in text.lines().map(str::trim) {
            if line.is_empty() || line.starts_with(['#', '!']) {
                continue;
            }
            let (key, value) =
                line.split_once('=').ok_or_else(|| format!("line {line:?} is not key=value"))?;
            let value = unescape(value.trim());
            match key.trim() {
                "version" => version = Some(value),
                "cluster.id" => cluster_id = Some(value),
                "node.id" => node_id = Some(value),
                "directory.id" => directory_id = Some(value),
                // Kafka keeps keys here that it does not know, and so may others.
                _ => {}
            }
        }
        if version.as_deref() != Some(META_VERSION) {
            return Err(format!("version is {version:?}, not {META_VERSION}"));
        }
        let node_id = node_id.ok_or("node.id is missing")?;
        let directory_id = directory_id.map(|id| {
            Uuid::parse(&id).ok_or_else(|| format!("directory.id {id:?} cannot be read"))
        });
        Ok(Self {
            cluster_id: cluster_id.ok_or("cluster.id is missing")?,
            node_id: node_id.parse().map_err(|_| format!("node.id {node_id:?} is no number"))?,
            directory_id: directory_id.transpose()?,
        })
    }
}

impl fmt::Display for WrongOwner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cluster { found, expected } => write!(
                f,
                "the directory belongs to cluster {found}, not to {expected}; if that is meant, \
                 give it another log.dirs or remove its meta.properties"
            ),
            Self::Node { found, expected } => write!(
                f,
                "the directory belongs to node {found}, but node.id is {expected}; set node.id to \
                 {found} or give this node another log.dirs"
            ),
        }
    }
}

impl std::error::Error for WrongOwner {}

/// Reads whose log the directory of a partition holds, from `partition.metadata`: `version: 0`,
/// `topic_id: ` with the topic's id in 22 characters, and a checksum of these two lines, which
/// Kafka neither writes nor reads. Without it one wrong bit would name a topic that never was, and
/// the directory would be taken for what a deleted one left.
pub fn load_topic_id(disk: &dyn Disk, dir: &Path) -> io::Result<Found<Uuid>> {
    Ok(read_text(disk, &dir.join(PARTITION_FILE))?.and_then(|text| {
        let mut lines = text.lines().map(|line| line.split_once(": "));
        let (version, id, checksum) = (lines.next(), lines.next(), lines.next());
        let id = match (version, id) {
            (Some(Some(("version", "0"))), Some(Some(("topic_id", id)))) => Uuid::parse(id),
            _ => None,
        };
        let id = id.filter(|id| !id.is_zero());
        let sound = match (id, checksum) {
            (Some(id), Some(_)) => text == partition_metadata(id),
            (Some(_), None) => true,
            (None, _) => false,
        };
        id.filter(|_| sound).ok_or_else(|| format!("{text:?} is not a version and a topic id"))
    }))
}

/// Says whose log the directory of a partition holds, durably.
pub fn save_topic_id(disk: &dyn Disk, dir: &Path, topic: Uuid) -> io::Result<()> {
    replace(disk, &dir.join(PARTITION_FILE), partition_metadata(topic).as_bytes())
}

/// The same in a directory that has nothing yet, to be synced by the caller.
pub(crate) fn begin_topic_id(
    disk: &dyn Disk,
    dir: &Path,
    topic: Uuid,
) -> io::Result<Arc<dyn File>> {
    let file = disk.open(&dir.join(PARTITION_FILE), Mode::CreateNew)?;
    file.write_all_at(&mut [IoSlice::new(partition_metadata(topic).as_bytes())], 0)?;
    Ok(file)
}

/// Makes what a directory says durable, if it says anything, whoever wrote it.
pub(crate) fn sync_topic_id(disk: &dyn Disk, dir: &Path) -> io::Result<()> {
    match disk.open(&dir.join(PARTITION_FILE), Mode::ReadWrite) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        opened => opened?.sync_data(),
    }
}

fn partition_metadata(topic: Uuid) -> String {
    let lines = format!("version: 0\ntopic_id: {topic}\n");
    let checksum = crc32c::crc32c(lines.as_bytes());
    format!("{lines}crc32c: {checksum:08x}\n")
}

/// Java's `Properties` gives these a meaning within a line.
fn escape(value: &str) -> String {
    let mut escaped = String::with_capacity(value.len());
    for letter in value.chars() {
        if matches!(letter, '\\' | ':' | '=' | '#' | '!' | ' ') {
            escaped.push('\\');
        }
        escaped.push(letter);
    }
    escaped
}

fn unescape(value: &str) -> String {
    let mut letters = value.chars();
    let mut plain = String::with_capacity(value.len());
    while let Some(letter) = letters.next() {
        plain.extend(if letter == '\\' { letters.next() } else { Some(letter) });
    }
    plain
}

const META_FILE: &str = "meta.properties";
const META_VERSION: &str = "1";
const PARTITION_FILE: &str = "partition.metadata";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fs::sim::SimDisk;

    fn file(disk: &SimDisk, name: &str) -> String {
        match read_text(disk, &Path::new("/").join(name)).unwrap() {
            Found::Whole(text) => text,
            other => panic!("{other:?}"),
        }
    }

    fn put(disk: &SimDisk, name: &str, text: &str) {
        replace(disk, &Path::new("/").join(name), text.as_bytes()).unwrap();
    }

    fn id() -> Uuid {
        Uuid([7; 16])
    }

    #[test]
    fn a_directory_knows_its_owner() {
        let disk = SimDisk::new();
        let root = Path::new("/");
        assert_eq!(MetaProperties::load(&disk, root).unwrap(), Found::Absent);
        let meta = MetaProperties {
            cluster_id: "a cluster=1".to_owned(),
            node_id: 4,
            directory_id: Some(id()),
        };
        meta.save(&disk, root).unwrap();
        assert_eq!(
            file(&disk, META_FILE),
            "version=1\ncluster.id=a\\ cluster\\=1\nnode.id=4\ndirectory.id=BwcHBwcHBwcHBwcHBwcHBw\n"
        );
        assert_eq!(MetaProperties::load(&disk, root).unwrap(), Found::Whole(meta.clone()));
        assert_eq!(meta.check_owner(None, 4), Ok(()));
        assert_eq!(meta.check_owner(Some("a cluster=1"), 4), Ok(()));
        assert_eq!(
            meta.check_owner(Some("other"), 4).unwrap_err().to_string(),
            "the directory belongs to cluster a cluster=1, not to other; if that is meant, give it \
             another log.dirs or remove its meta.properties"
        );
        assert_eq!(meta.check_owner(None, 5), Err(WrongOwner::Node { found: 4, expected: 5 }));
    }

    #[test]
    fn what_kafka_wrote_is_read() {
        let disk = SimDisk::new();
        put(
            &disk,
            META_FILE,
            "#\n#Sun Nov 22 10:00:00 UTC 2026\nnode.id=1\ndirectory.id=BwcHBwcHBwcHBwcHBwcHBw\n\
             version=1\ncluster.id=4L6g3nShT-eMCtK--X86sw\n",
        );
        let meta = MetaProperties {
            cluster_id: "4L6g3nShT-eMCtK--X86sw".to_owned(),
            node_id: 1,
            directory_id: Some(id()),
        };
        assert_eq!(MetaProperties::load(&disk, Path::new("/")).unwrap(), Found::Whole(meta));
    }

    #[test]
    fn a_damaged_file_is_not_an_absent_one() {
        let disk = SimDisk::new();
        for text in [
            "",
            "version=0\nbroker.id=1\ncluster.id=x\n",
            "version=1\nnode.id=1\n",
            "version=1\ncluster.id=x\nnode.id=one\n",
            "version=1\ncluster.id=x\nnode.id=1\ndirectory.id=short\n",
            "version=1\ncluster.id=x\nnode",
        ] {
            put(&disk, META_FILE, text);
            let found = MetaProperties::load(&disk, Path::new("/")).unwrap();
            assert!(matches!(found, Found::Damaged { .. }), "{text:?}: {found:?}");
        }
    }

    #[test]
    fn a_log_knows_its_topic() {
        let disk = SimDisk::new();
        let root = Path::new("/");
        assert_eq!(load_topic_id(&disk, root).unwrap(), Found::Absent);
        save_topic_id(&disk, root, id()).unwrap();
        let kafkas = "version: 0\ntopic_id: BwcHBwcHBwcHBwcHBwcHBw";
        let ours = file(&disk, PARTITION_FILE);
        assert_eq!(ours, format!("{kafkas}\ncrc32c: 94acaaa3\n"));
        for text in [kafkas, &format!("{kafkas}\n"), &ours] {
            put(&disk, PARTITION_FILE, text);
            assert_eq!(load_topic_id(&disk, root).unwrap(), Found::Whole(id()), "{text:?}");
        }
        for text in ["", "version: 1\ntopic_id: BwcHBwcHBwcHBwcHBwcHBw", "version: 0\ntopic_id: "] {
            put(&disk, PARTITION_FILE, text);
            assert!(matches!(load_topic_id(&disk, root).unwrap(), Found::Damaged { .. }));
        }
        assert!(disk.open(Path::new("/partition.metadata.tmp"), Mode::Read).is_err());
    }

    #[test]
    fn no_flipped_bit_makes_a_log_another_topics() {
        let disk = SimDisk::new();
        for bit in 0..8 * partition_metadata(id()).len() {
            let mut bytes = partition_metadata(id()).into_bytes();
            bytes[bit / 8] ^= 1 << (bit % 8);
            replace(&disk, Path::new("/partition.metadata"), &bytes).unwrap();
            let found = load_topic_id(&disk, Path::new("/")).unwrap();
            assert!(matches!(found, Found::Damaged { .. }), "bit {bit}: {found:?}");
        }
    }
}
