//! What the directories of partitions are called.

use std::{fmt, sync::Arc};

use milena_protocol::Uuid;

/// A partition that may have a directory: the topic's name is one that Kafka allows, which makes
/// it safe as a file name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PartitionName {
    topic: Arc<str>,
    partition: i32,
}

impl PartitionName {
    /// `None` unless the topic's name is 1 to 249 letters, digits, dots, underscores and hyphens,
    /// other than `.` and `..`, and the partition is not negative.
    #[must_use]
    pub fn new(topic: &str, partition: i32) -> Option<Self> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        let valid = (1..=TOPIC_LEN_MAX).contains(&topic.len())
            && topic.bytes().all(plain)
            && topic != "."
            && topic != ".."
            && partition >= 0;
        valid.then(|| Self { topic: topic.into(), partition })
    }

    /// Another partition of the same topic; the topic's name is in memory once.
    #[must_use]
    pub fn sibling(&self, partition: i32) -> Option<Self> {
        (partition >= 0).then(|| Self { topic: Arc::clone(&self.topic), partition })
    }

    #[must_use]
    pub fn topic(&self) -> &str {
        &self.topic
    }

    #[must_use]
    pub fn partition(&self) -> i32 {
        self.partition
    }

    /// The partition whose directory has this name.
    pub(crate) fn of_directory(name: &str) -> Option<Self> {
        let (topic, partition) = name.rsplit_once('-')?;
        let name_again = Self::new(topic, partition.parse().ok()?)?;
        // One directory, one name: no leading zeros or plus signs.
        (name_again.to_string() == name).then_some(name_again)
    }

    /// Whether a directory of this name goes with the next start.
    pub(crate) fn is_no_partitions(name: &str) -> bool {
        name.ends_with(DELETE_SUFFIX) || Self::of_future(name).is_some()
    }

    /// Where the directory goes when the partition is deleted: as Kafka has it, cut so that it
    /// stays a file name.
    pub(super) fn deleted(&self, id: Uuid) -> String {
        let suffix = suffix(id, DELETE_SUFFIX);
        let mut name = self.to_string();
        name.truncate(FILE_NAME_LEN_MAX - suffix.len());
        name + &suffix
    }

    /// Whether a copy of the partition's log can have a directory of its own.
    #[must_use]
    pub fn may_move(&self) -> bool {
        self.future(Uuid::ZERO).is_some()
    }

    /// Where the partition's log grows in the directory that it moves to: as Kafka has it. `None`
    /// if that is too long for a file's name.
    pub(super) fn future(&self, id: Uuid) -> Option<String> {
        let name = self.to_string() + &suffix(id, FUTURE_SUFFIX);
        (name.len() <= FILE_NAME_LEN_MAX).then_some(name)
    }

    /// The partition whose unfinished copy has this directory.
    pub(super) fn of_future(name: &str) -> Option<Self> {
        let (partition, _) = name.strip_suffix(FUTURE_SUFFIX)?.rsplit_once('.')?;
        Self::of_directory(partition)
    }
}

impl fmt::Display for PartitionName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.topic, self.partition)
    }
}

fn suffix(id: Uuid, end: &str) -> String {
    let hex: String = id.0.iter().map(|byte| format!("{byte:02x}")).collect();
    format!(".{hex}{end}")
}

/// Ends the name of a directory that is a partition's log to be.
const FUTURE_SUFFIX: &str = "-future";
/// Ends the name of a directory that is no partition's any more.
const DELETE_SUFFIX: &str = "-delete";
const TOPIC_LEN_MAX: usize = 249;
const FILE_NAME_LEN_MAX: usize = 255;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_names_its_partition() {
        for (topic, partition) in [("a", 0), ("a-1", 12), ("__consumer_offsets", 49), ("...", 3)] {
            let name = PartitionName::new(topic, partition).unwrap();
            assert_eq!(PartitionName::of_directory(&name.to_string()), Some(name));
        }
    }

    #[test]
    fn other_directories_are_no_partitions() {
        let gone = PartitionName::new("a", 0).unwrap().deleted(Uuid([0xab; 16]));
        assert_eq!(gone, format!("a-0.{}-delete", "ab".repeat(16)));
        for name in [gone.as_str(), "a", "a-", "-1", "a-01", "a-+1", "lost+found", "a b-1"] {
            assert_eq!(PartitionName::of_directory(name), None, "{name}");
        }
    }

    #[test]
    fn a_copy_names_its_partition_too() {
        let name = PartitionName::new("a.b-c", 7).unwrap();
        let future = name.future(Uuid([0xcd; 16])).unwrap();
        assert_eq!(future, format!("a.b-c-7.{}-future", "cd".repeat(16)));
        assert_eq!(PartitionName::of_future(&future), Some(name));
        assert_eq!(PartitionName::of_directory(&future), None);
        assert_eq!(PartitionName::new(&"x".repeat(249), 0).unwrap().future(Uuid([1; 16])), None);
    }

    #[test]
    fn names_that_would_leave_the_directory_are_refused() {
        let long = "x".repeat(250);
        for topic in ["", ".", "..", "../x", "a/b", "a\0", "ü", &long] {
            assert_eq!(PartitionName::new(topic, 0), None, "{topic:?}");
        }
        assert_eq!(PartitionName::new("a", -1), None);
        let longest = PartitionName::new(&"x".repeat(249), i32::MAX).unwrap();
        assert_eq!(longest.deleted(Uuid([1; 16])).len(), 255);
    }
}
