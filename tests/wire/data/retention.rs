//! Retention, as clients see it.

use std::time::Duration;

use milena_protocol::ErrorCode;
use milena_tests::{TestBroker, TestClock, wait_until};

use super::*;

#[test]
fn what_is_too_old_or_too_much_goes_at_the_next_check() {
    let (time, clock) = TestClock::manual();
    let broker = TestBroker::start_in(time, &[("log.retention.check.interval.ms", "1000")]);
    let mut client = broker.connect();
    create(&mut client, "old", 1, &[("retention.ms", "500")]);
    create(&mut client, "much", 1, &[("retention.bytes", "1"), ("segment.bytes", "1048576")]);
    create(&mut client, "kept", 1, &[]);
    let long = "x".repeat(700_000);
    for _ in 0..3 {
        for topic in ["old", "much", "kept"] {
            assert_eq!(produce(&mut client, topic, 0, batch(&[&long])).error_code, ErrorCode::None);
        }
    }
    clock.advance(Duration::from_secs(1));
    let start = |topic| {
        let topic = broker.services().replicas.topic_named(topic).unwrap();
        topic.partition(0).unwrap().log().start_offset().0
    };
    wait_until("all that is old to go", || start("old") == 3);
    wait_until("all but the active segment to go", || start("much") == 2);
    assert_eq!(start("kept"), 0);
    assert_eq!(fetch(&mut client, "old", 0, 0).error_code, ErrorCode::OffsetOutOfRange);
    assert_eq!(fetch(&mut client, "much", 0, 2).log_start_offset, 2);
    assert_eq!(produce(&mut client, "old", 0, batch(&["new"])).base_offset, 3);
}
