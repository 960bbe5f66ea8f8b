//! AlterReplicaLogDirs v1-2.

#![allow(clippy::indexing_slicing, clippy::unwrap_used, reason = "a test may fail by panicking")]

use std::path::Path;

use milena_protocol::{
    ErrorCode,
    messages::{
        AlterReplicaLogDirsRequest, DescribeLogDirsRequest,
        cluster::{
            alter_replica_log_dirs::{AlterReplicaLogDir, AlterReplicaLogDirTopic},
            describe_log_dirs::{DescribeLogDirsPartition, DescribeLogDirsResult},
        },
    },
    wire::Str,
};
use milena_tests::{RawClient, TestBroker, wait_until};
use tempfile::TempDir;

use crate::data::{batch, create, fetch, produce, values};

/// A broker with two log directories, and where they are.
fn two_directories(root: &TempDir) -> (TestBroker, [String; 2]) {
    let dirs = ["one", "two"].map(|name| root.path().join(name).display().to_string());
    (TestBroker::start(&[("log.dirs", &dirs.join(","))]), dirs)
}

fn alter(client: &mut RawClient, version: i16, path: &str, topic: &str, index: i32) -> ErrorCode {
    let topics = vec![AlterReplicaLogDirTopic { name: Str::from(topic), partitions: vec![index] }];
    let dirs = vec![AlterReplicaLogDir { path: Str::from(path), topics }];
    let response = client.ask(version, &AlterReplicaLogDirsRequest { dirs });
    assert_eq!(*response.results[0].topic_name, *topic);
    assert_eq!(response.results[0].partitions[0].partition_index, index);
    response.results[0].partitions[0].error_code
}

/// The directories that hold something of the partition `topic`-0, and what they say of it.
fn holders(client: &mut RawClient, topic: &str) -> Vec<(String, DescribeLogDirsPartition)> {
    let response = client.ask(5, &DescribeLogDirsRequest { topics: None });
    let of_topic = |dir: &DescribeLogDirsResult| {
        let found = dir.topics.iter().find(|it| *it.name == *topic)?;
        Some((dir.log_dir.to_string(), found.partitions[0].clone()))
    };
    response.results.iter().filter_map(of_topic).collect()
}

#[test]
fn a_partition_moves_while_it_is_written_and_stays_there_after_a_restart() {
    let root = TempDir::new().unwrap();
    let (mut broker, dirs) = two_directories(&root);
    let mut client = broker.connect();
    create(&mut client, "t", 1, &[("segment.bytes", "1048576")]);
    let value = "v".repeat(50_000);
    for at in 0..40 {
        assert_eq!(produce(&mut client, "t", 0, batch(&[&value])).base_offset, at);
    }
    let mut written = 40;
    for version in 1..=2 {
        let home = holders(&mut client, "t")[0].0.clone();
        let target = dirs.iter().find(|dir| **dir != home).unwrap().clone();
        assert_eq!(alter(&mut client, version, &target, "t", 0), ErrorCode::None);
        wait_until("the partition to have moved", || {
            let written_now = produce(&mut client, "t", 0, batch(&["small"]));
            assert_eq!(
                (written_now.error_code, written_now.base_offset),
                (ErrorCode::None, written)
            );
            written += 1;
            let found = holders(&mut client, "t");
            assert!(found.iter().all(|(dir, it)| (*dir == target) || !it.is_future_key));
            matches!(&found[..], [(dir, it)] if *dir == target && !it.is_future_key)
        });
        assert!(Path::new(&target).join("t-0").exists());
        assert!(!Path::new(&home).join("t-0").exists());
    }
    broker.restart();
    let mut client = broker.connect();
    let mut next = 0;
    while next < written {
        for (offset, found) in values(&fetch(&mut client, "t", 0, next)) {
            assert_eq!((offset, found == value), (next, next < 40));
            next += 1;
        }
    }
    assert_eq!(produce(&mut client, "t", 0, batch(&["after"])).base_offset, written);
}

#[test]
fn what_cannot_move_is_told_why() {
    let root = TempDir::new().unwrap();
    let (broker, dirs) = two_directories(&root);
    let mut client = broker.connect();
    let long = "x".repeat(240);
    create(&mut client, "t", 1, &[]);
    create(&mut client, &long, 1, &[]);
    let home = holders(&mut client, "t")[0].0.clone();
    assert_eq!(alter(&mut client, 2, "/nowhere", "t", 0), ErrorCode::LogDirNotFound);
    assert_eq!(alter(&mut client, 2, &dirs[0], "x", 0), ErrorCode::UnknownTopicOrPartition);
    assert_eq!(alter(&mut client, 2, &dirs[0], "t", 1), ErrorCode::UnknownTopicOrPartition);
    assert_eq!(alter(&mut client, 2, &dirs[0], &long, 0), ErrorCode::InvalidTopicException);
    assert_eq!(alter(&mut client, 2, &home, "t", 0), ErrorCode::None, "it is there");
    assert_eq!(holders(&mut client, "t").len(), 1);
}
