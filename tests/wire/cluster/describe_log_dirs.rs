//! DescribeLogDirs v1-5.

#![allow(
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test may fail by panicking, and does to directories what happens to disks"
)]

use std::{fs, path::Path};

use milena_protocol::{
    ErrorCode,
    messages::{
        DescribeLogDirsRequest,
        cluster::describe_log_dirs::{DescribableLogDirTopic, DescribeLogDirsResult},
    },
    wire::Str,
};
use milena_tests::TestBroker;
use tempfile::TempDir;

use crate::{
    data::{batch, fetch, produce, values},
    topics::create_topics::create,
};

fn shown(dir: &DescribeLogDirsResult) -> Vec<String> {
    dir.topics
        .iter()
        .flat_map(|topic| {
            topic.partitions.iter().map(|one| format!("{}-{}", topic.name, one.partition_index))
        })
        .collect()
}

#[test]
fn every_version_shows_what_lies_in_the_directory() {
    let broker = TestBroker::start(&[]);
    let mut client = broker.connect();
    create(&mut client, "b", 1);
    create(&mut client, "a", 2);
    for version in 1..=5 {
        let response = client.ask(version, &DescribeLogDirsRequest { topics: None });
        assert_eq!(response.error_code, ErrorCode::None);
        let [dir] = &response.results[..] else { panic!("one directory: {response:?}") };
        assert_eq!(dir.error_code, ErrorCode::None);
        assert_eq!(*dir.log_dir, *broker.data().display().to_string());
        assert_eq!(shown(dir), ["a-0", "a-1", "b-0"]);
        if version >= 4 {
            assert!(dir.total_bytes >= dir.usable_bytes && dir.usable_bytes > 0);
        }
    }
}

#[test]
fn only_the_partitions_asked_for_are_shown() {
    let broker = TestBroker::start(&[]);
    let mut client = broker.connect();
    create(&mut client, "a", 2);
    let mut ask = |topics: &[(&'static str, &[i32])]| {
        let topics = topics.iter().map(|(name, partitions)| DescribableLogDirTopic {
            topic: Str::from_static(name),
            partitions: partitions.to_vec(),
        });
        let request = DescribeLogDirsRequest { topics: Some(topics.collect()) };
        shown(&client.ask(5, &request).results[0])
    };
    assert_eq!(ask(&[("a", &[1, 7]), ("x", &[0])]), ["a-1"]);
    assert_eq!(ask(&[]), [] as [&str; 0]);
}

/// What can become of a disk while the broker is down: it is not mounted, in two ways, or it tells
/// nothing of whose it is any more.
const LOSSES: [fn(&Path); 3] = [
    |dir| fs::write(dir, "no directory").unwrap(),
    |dir| fs::create_dir(dir).unwrap(),
    |dir| {
        fs::create_dir(dir).unwrap();
        fs::write(dir.join("meta.properties"), "version=1\ncluster.i").unwrap();
    },
];

#[test]
fn a_start_without_one_of_the_directories_serves_what_is_in_the_others() {
    let root = TempDir::new().unwrap();
    let dirs = ["one", "two"].map(|name| root.path().join(name));
    let log_dirs = format!("{},{}", dirs[0].display(), dirs[1].display());
    let mut broker = TestBroker::start(&[("log.dirs", &log_dirs)]);
    let mut client = broker.connect();
    create(&mut client, "t", 2);
    for index in 0..2 {
        assert_eq!(produce(&mut client, "t", index, batch(&["kept"])).error_code, ErrorCode::None);
    }
    let (mut here, mut away) = (0, 1);
    if dirs[1].join("t-0").exists() {
        (here, away) = (1, 0);
    }
    assert!(dirs[1].join(format!("t-{away}")).exists());
    let hidden = root.path().join("hidden");
    for (round, lose) in LOSSES.into_iter().enumerate() {
        broker.stop();
        fs::rename(&dirs[1], &hidden).unwrap();
        lose(&dirs[1]);
        broker.start_again();
        let mut client = broker.connect();
        assert_eq!(values(&fetch(&mut client, "t", here, 0)), [(0, "kept".to_owned())]);
        assert_eq!(fetch(&mut client, "t", away, 0).error_code, ErrorCode::KafkaStorageError);
        let refused = produce(&mut client, "t", away, batch(&["lost?"])).error_code;
        assert_eq!(refused, ErrorCode::KafkaStorageError);
        create(&mut client, &format!("new-{round}"), 2);
        for index in 0..2 {
            let written = produce(&mut client, &format!("new-{round}"), index, batch(&["new"]));
            assert_eq!(written.error_code, ErrorCode::None);
        }
        let told = client.ask(5, &DescribeLogDirsRequest { topics: None }).results;
        let codes: Vec<_> =
            told.iter().map(|dir| (dir.log_dir.to_string(), dir.error_code)).collect();
        // An empty directory is one to begin in.
        let second = if round == 1 { ErrorCode::None } else { ErrorCode::KafkaStorageError };
        let paths = dirs.each_ref().map(|dir| dir.display().to_string());
        assert_eq!(codes, [(paths[0].clone(), ErrorCode::None), (paths[1].clone(), second)]);

        broker.stop();
        if fs::remove_file(&dirs[1]).is_err() {
            fs::remove_dir_all(&dirs[1]).unwrap();
        }
        fs::rename(&hidden, &dirs[1]).unwrap();
        broker.start_again();
        let mut client = broker.connect();
        for index in 0..2 {
            assert_eq!(values(&fetch(&mut client, "t", index, 0)), [(0, "kept".to_owned())]);
        }
    }
}
