//! DescribeLogDirs v1-5.

use milena_protocol::{
    ErrorCode,
    messages::{
        DescribeLogDirsRequest,
        cluster::describe_log_dirs::{DescribableLogDirTopic, DescribeLogDirsResult},
    },
    wire::Str,
};
use milena_tests::TestBroker;

use crate::topics::create_topics::create;

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
