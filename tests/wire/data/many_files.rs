//! Many more partitions than files that the broker may have open.

use std::sync::Arc;

use milena_protocol::ErrorCode;
use milena_storage::fs::{Pool, RealDisk};
use milena_tests::{TestBroker, TestClock};

use super::*;

const OPEN_MAX: usize = 8;
const PARTITIONS: i32 = 60;

#[test]
fn partitions_are_served_with_fewer_descriptors_than_there_are() {
    let pool = Pool::new(Arc::new(RealDisk), OPEN_MAX);
    let disk = Arc::new(pool.clone());
    let mut broker = TestBroker::start_with(TestClock::Real, disk, &[("num.partitions", "1")]);
    let mut client = broker.connect();
    create(&mut client, "t", PARTITIONS, &[]);
    for round in ["a", "b"] {
        for index in 0..PARTITIONS {
            let produced = produce(&mut client, "t", index, batch(&[round]));
            assert_eq!(produced.error_code, ErrorCode::None);
        }
    }
    let check = |client: &mut milena_tests::RawClient| {
        for index in 0..PARTITIONS {
            let found = values(&fetch(client, "t", index, 0));
            assert_eq!(found, [(0, "a".into()), (1, "b".into())]);
        }
    };
    check(&mut client);
    broker.restart();
    check(&mut broker.connect());
    // Those in use beside the budget are few, however many partitions there are.
    assert!(pool.open_files() <= 2 * OPEN_MAX, "{} files are open", pool.open_files());
    broker.stop();
}
