//! Compaction, as clients see it.

use std::{collections::BTreeMap, time::Duration};

use milena_protocol::{ErrorCode, Offset};
use milena_storage::{checkpoint, fs::RealDisk};
use milena_tests::{TestBroker, TestClock, wait_until};

use super::*;

#[test]
fn a_compacted_topic_shows_the_last_value_of_each_key_where_it_was() {
    let (time, clock) = TestClock::manual();
    let settings = [("log.cleaner.backoff.ms", "1000"), ("log.cleaner.min.cleanable.ratio", "0.1")];
    let mut broker = TestBroker::start_in(time, &settings);
    let mut client = broker.connect();
    create(&mut client, "state", 1, &[("cleanup.policy", "compact"), ("segment.bytes", "1024")]);
    assert_eq!(
        produce(&mut client, "state", 0, batch(&["no key"])).error_code,
        ErrorCode::InvalidRecord
    );
    let mut sent = BTreeMap::new();
    for number in 0..60_i64 {
        let key = format!("key {}", number % 7);
        let value = format!("value {number}");
        let mut builder = BatchBuilder::new(Codec::None);
        // Keys of their own, which nothing replaces.
        let own = format!("own {}", number / 20);
        builder.append(MADE, Some(key.as_bytes()), Some(value.as_bytes()), &[]).unwrap();
        builder.append(MADE, Some(own.as_bytes()), Some(value.as_bytes()), &[]).unwrap();
        let records = builder.build().unwrap();
        assert_eq!(produce(&mut client, "state", 0, records).base_offset, 2 * number);
        sent.insert(2 * number, (key, value.clone()));
        sent.insert(2 * number + 1, (own, value));
    }
    let log = |broker: &TestBroker| {
        let topic = broker.services().replicas.topic_named("state").unwrap();
        topic.partition(0).unwrap().log()
    };
    let size = log(&broker).size_bytes();
    wait_until("the log to be compacted", || {
        clock.advance(Duration::from_secs(1));
        broker.metric("milena_compactions_total", None) > 0 && log(&broker).size_bytes() < size / 2
    });
    for _ in 0..2 {
        let mut client = broker.connect();
        let (mut found, mut from) = (BTreeMap::new(), 0);
        while from < 120 {
            let data = fetch(&mut client, "state", 0, from);
            assert_eq!((data.error_code, data.high_watermark), (ErrorCode::None, 120));
            for (offset, value) in values(&data) {
                assert_eq!(sent[&offset].1, value);
                found.insert(offset, sent[&offset].0.clone());
                from = offset + 1;
            }
        }
        assert!(found.len() < 60, "{found:?}");
        let last: BTreeMap<&String, i64> =
            sent.iter().map(|(offset, (key, _))| (key, *offset)).collect();
        for (key, offset) in last {
            assert_eq!(found.get(&offset), Some(key));
        }
        assert_eq!(log(&broker).start_offset(), Offset(0));
        broker.restart();
    }
    let noted = broker.data().join("cleaner-offset-checkpoint");
    let noted = checkpoint::read_offsets(&RealDisk, &noted).unwrap().whole().unwrap();
    assert!(noted[&("state".to_owned(), 0)] > Offset(60), "{noted:?}");
}

/// Its checksum is right, but no record can be read from it.
fn unreadable() -> Bytes {
    const CHECKSUM: std::ops::Range<usize> = 17..21;
    const RECORDS: usize = 61;
    let mut bytes = batch(&["value"]).to_vec();
    bytes[RECORDS..].fill(0xff);
    let checksum = crc32c::crc32c(&bytes[CHECKSUM.end..]);
    bytes[CHECKSUM].copy_from_slice(&checksum.to_be_bytes());
    bytes.into()
}

#[test]
fn records_that_do_not_decode_are_refused_where_they_are_looked_into_and_harm_nobody_elsewhere() {
    let broker = TestBroker::start(&[]);
    let mut client = broker.connect();
    create(&mut client, "keyed", 1, &[("cleanup.policy", "compact")]);
    let refused = produce(&mut client, "keyed", 0, unreadable());
    assert_eq!(refused.error_code, ErrorCode::InvalidRecord);

    // Nothing asks what is inside: it is kept as it came, and so is what follows.
    create(&mut client, "plain", 1, &[]);
    assert_eq!(produce(&mut client, "plain", 0, unreadable()).error_code, ErrorCode::None);
    assert_eq!(produce(&mut client, "plain", 0, batch(&["after"])).base_offset, 1);
    let fetched = fetch(&mut client, "plain", 0, 1);
    assert_eq!(values(&fetched), [(1, "after".to_owned())]);
}
