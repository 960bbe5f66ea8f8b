//! A disk that is full, while bad inputs go on.
//!
//! `MILENA_FULL_DISKS` says how often it is filled (2).

use std::{
    fs::{self, File},
    io::{ErrorKind, Write},
    path::Path,
};

use milena_protocol::{
    ErrorCode,
    messages::{ApiVersionsRequest, DeleteTopicsRequest, topics::delete_topics::DeleteTopicState},
};
use milena_tests::{
    Process, RawClient, Volume,
    data::{batch, create, fetch, produce, values},
    frame, wait_until,
};

use crate::{findings, number, program};

#[test]
fn a_full_disk_refuses_writes_and_nothing_else() {
    let made = Volume::ext4(VOLUME_BYTES).or_else(|ext4| {
        println!("a volume in memory instead of a loop device: {ext4}");
        Volume::tmpfs(VOLUME_BYTES).map_err(|tmpfs| format!("{ext4}; {tmpfs}"))
    });
    match made {
        Ok(volume) => on(&volume),
        Err(why) => println!("not run, because nothing can be mounted here: {why}"),
    }
}

fn on(volume: &Volume) {
    let data = volume.path().join("data");
    let broker = program().start(&data, SETTINGS);
    let mut client = broker.connect();
    create(&mut client, "kept", 1, &[]);
    assert_eq!(produce(&mut client, "kept", 0, batch(&["first"])).error_code, ErrorCode::None);
    let filled = number("MILENA_FULL_DISKS").map_or(FILLED, u64::cast_signed);
    for round in 0..filled {
        let name = format!("filler-{round}");
        create(&mut client, &name, 1, &[("segment.bytes", "1048576")]);
        let mut written = fill(&mut client, &name);
        let ballast = Ballast::fill(volume.path());
        // A last batch may have fitted into what was left.
        assert!(written > 0, "something fitted");
        while produce(&mut client, &name, 0, batch(&["x"])).error_code == ErrorCode::None {
            written += 1;
        }
        refuses_writes_and_nothing_else(&broker, round);
        assert_eq!(fetch(&mut client, &name, 0, 0).high_watermark, written);
        drop(ballast);
        delete(&mut client, &name);
        writes_again(&mut client, round);
    }

    // Full again, and killed.
    create(&mut client, "last", 1, &[]);
    fill(&mut client, "last");
    let _ballast = Ballast::fill(volume.path());
    broker.kill();
    let broker = program().start(&data, SETTINGS);
    refuses_writes_and_nothing_else(&broker, filled);
    let mut client = broker.connect();
    delete(&mut client, "last");
    writes_again(&mut client, filled);
    broker.stop();
    assert_eq!(findings(&data), []);
}

/// Writes until the disk is full; how many batches of one record it took.
fn fill(client: &mut RawClient, topic: &str) -> i64 {
    let records = batch(&[&"x".repeat(500_000)]);
    let mut written = 0;
    loop {
        let answer = produce(client, topic, 0, records.clone());
        match answer.error_code {
            ErrorCode::None => written += 1,
            code => {
                assert_eq!(code, ErrorCode::KafkaStorageError, "after {written}");
                return written;
            }
        }
    }
}

fn refuses_writes_and_nothing_else(broker: &Process, written_before: i64) {
    let mut client = broker.connect();
    let before = written(&mut client);
    assert_eq!(before.len() as i64, 1 + written_before);
    let refused = produce(&mut client, "kept", 0, batch(&[&"y".repeat(50_000)]));
    assert_eq!(refused.error_code, ErrorCode::KafkaStorageError);

    for bytes in [
        &i32::MAX.to_be_bytes()[..],
        b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
        &frame(b"\0\x12\0\0\0\0\0"),
        &frame(b"\x27\x0f\0\0\0\0\0\x01\xff\xff"),
        &frame(b"\0\x03\0\x01\0\0\0\x01\xff\xff\x7f\xff\xff\xff"),
    ] {
        let mut rude = broker.connect();
        rude.send(bytes);
        rude.expect_closed("a bad frame");
    }
    let mut corrupt = batch(&["z"]).to_vec();
    *corrupt.last_mut().unwrap() ^= 1;
    let answer = produce(&mut client, "kept", 0, corrupt.into());
    assert_eq!(answer.error_code, ErrorCode::CorruptMessage);
    let mut old = batch(&["z"]).to_vec();
    old[16] = 1;
    let answer = produce(&mut client, "kept", 0, old.into());
    assert_eq!(answer.error_code, ErrorCode::InvalidRecord);
    let mut whole_request = broker.connect();
    whole_request.send(&[0, 0]);

    let versions = client.ask(0, &ApiVersionsRequest::default());
    assert_eq!(versions.error_code, ErrorCode::None);
    assert_eq!(written(&mut client), before);
}

fn writes_again(client: &mut RawClient, round: i64) {
    let name = format!("after {round}");
    wait_until("there is room again", || {
        match produce(client, "kept", 0, batch(&[&name])).error_code {
            ErrorCode::None => true,
            code => {
                assert_eq!(code, ErrorCode::KafkaStorageError);
                false
            }
        }
    });
    assert_eq!(written(client).last(), Some(&(1 + round, name)));
}

fn written(client: &mut RawClient) -> Vec<(i64, String)> {
    values(&fetch(client, "kept", 0, 0))
}

fn delete(client: &mut RawClient, topic: &str) {
    let topic = DeleteTopicState { name: Some(topic.into()), ..DeleteTopicState::default() };
    let request =
        DeleteTopicsRequest { topics: vec![topic], timeout_ms: 10_000, ..Default::default() };
    assert_eq!(client.ask(6, &request).responses[0].error_code, ErrorCode::None);
}

/// A file that takes all that is left.
struct Ballast(std::path::PathBuf);

impl Ballast {
    fn fill(volume: &Path) -> Self {
        let ballast = Self(volume.join("ballast"));
        let mut file = File::create(&ballast.0).unwrap();
        let (block, mut size) = ([1; 64 << 10], 64 << 10);
        while size > 0 {
            match file.write(&block[..size]) {
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::StorageFull => size /= 2,
                Err(error) => panic!("{error}"),
            }
        }
        ballast
    }
}

impl Drop for Ballast {
    fn drop(&mut self) {
        // Unmounted with all else, if a test failed.
        let _ = fs::remove_file(&self.0);
    }
}

const VOLUME_BYTES: u64 = 64 << 20;
const FILLED: i64 = 2;
const SETTINGS: &[&str] =
    &["log.segment.delete.delay.ms=0", "log.flush.offset.checkpoint.interval.ms=150"];
