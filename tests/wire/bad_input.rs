//! Bytes that no client should send. Each costs its sender the connection, is counted by its
//! reason, and leaves the broker as it was.

use std::time::Duration;

use milena_broker::clock::{Rng, SeededRng};
use milena_protocol::ErrorCode;
use milena_tests::{TestBroker, TestClock, frame, request_frame, wait_until};

use crate::cluster::api_versions::named;

/// Sends `bytes` on a connection of their own and expects it to be closed and counted.
fn closes(broker: &TestBroker, reason: &str, what: &str, bytes: &[u8]) {
    let before = broker.metric(CLOSED, Some(reason));
    let mut client = broker.connect();
    // The broker may have closed it before all of it is sent.
    let _ = client.try_send(bytes);
    client.expect_closed(what);
    wait_until(what, || broker.metric(CLOSED, Some(reason)) > before);
    still_serves(broker);
}

fn still_serves(broker: &TestBroker) {
    assert_eq!(broker.connect().ask(3, &named()).error_code, ErrorCode::None);
}

/// Key, version and correlation id, then what is given.
fn headed(api_key: i16, api_version: i16, rest: &[u8]) -> Vec<u8> {
    let fixed =
        [&api_key.to_be_bytes()[..], &api_version.to_be_bytes(), &1_i32.to_be_bytes()].concat();
    frame(&[&fixed, rest].concat())
}

#[test]
fn lengths_that_cannot_be() {
    let broker = TestBroker::start(&[]);
    let above_limit: i32 = 100 * 1024 * 1024 + 1;
    for length in [-1, i32::MIN, i32::MAX, above_limit] {
        closes(&broker, "bad_length", &format!("length {length}"), &length.to_be_bytes());
    }
    closes(&broker, "bad_header", "length 0", &frame(b""));
    closes(&broker, "bad_header", "length 7", &frame(b"\0\x12\0\0\0\0\0"));
}

#[test]
fn other_protocols() {
    let broker = TestBroker::start(&[]);
    closes(&broker, "http", "HTTP", b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
    closes(&broker, "tls", "TLS", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03");
}

#[test]
fn headers_that_cannot_be() {
    let broker = TestBroker::start(&[]);
    for api_key in [9_999, -1, 4] {
        let bytes = headed(api_key, 0, b"\xff\xff");
        closes(&broker, "unknown_api", &format!("key {api_key}"), &bytes);
    }
    let bad = |what: &str, rest: &[u8]| {
        closes(&broker, "bad_header", what, &headed(18, 3, rest));
    };
    bad("client id of length -2", b"\xff\xfe");
    bad("client id beyond the end", b"\0\x05ab");
    bad("client id that is not UTF-8", b"\0\x02\xff\xff\0");
    bad("2^31 tagged fields", b"\xff\xff\x80\x80\x80\x80\x08");
    bad("a tagged field beyond the end", b"\xff\xff\x01\x00\x7fab");
    bad("a varint of six bytes", b"\xff\xff\xff\xff\xff\xff\xff\x01");
    bad("a varint above 32 bits", b"\xff\xff\xff\xff\xff\xff\x7f");
}

#[test]
fn bodies_that_cannot_be() {
    let broker = TestBroker::start(&[]);
    let bad = |what: &str, body: &[u8]| {
        let rest = [b"\xff\xff\0", body].concat();
        closes(&broker, "bad_body", what, &headed(18, 3, &rest));
    };
    bad("null for a string that cannot be null", b"\0\x021\0");
    bad("a string of 2^32-2 bytes", b"\xff\xff\xff\xff\x0f");
}

#[test]
fn bytes_after_a_request_are_passed_over() {
    let broker = TestBroker::start(&[]);
    let mut client = broker.connect();
    client.send(&headed(18, 3, b"\xff\xff\0\x02a\x021\0rest"));
    assert!(client.read_frame().is_some());
    client.ask(1, &named());
}

#[test]
fn counts_that_lie() {
    let broker = TestBroker::start(&[]);
    let bad = |what: &str, version: i16, rest: &[u8]| {
        closes(&broker, "bad_body", what, &headed(METADATA, version, rest));
    };
    bad("an array of 2^31-1", 1, b"\xff\xff\x7f\xff\xff\xff");
    bad("an array of -2", 1, b"\xff\xff\xff\xff\xff\xfe");
    bad("a compact array of 2^32-2", 9, b"\xff\xff\0\xff\xff\xff\xff\x0f");
    bad("a topic without a name", 1, b"\xff\xff\0\0\0\x01\xff\xff");
    for many in [1_000_000, 1_000_001] {
        let count = i32::try_from(many).expect("a count");
        let rest = [b"\xff\xff", &count.to_be_bytes()[..], &vec![0; 2 * many]].concat();
        bad("a million empty names", 1, &rest);
    }
    assert!(broker.metric("milena_request_bytes_held", None) < 1 << 20);
}

#[test]
fn versions_that_are_not_served() {
    let broker = TestBroker::start(&[]);
    for (api_key, version) in [(METADATA, 99), (METADATA, -1), (PRODUCE, 2), (PRODUCE, 0)] {
        let what = format!("version {version} of key {api_key}");
        closes(&broker, "unsupported_version", &what, &headed(api_key, version, b"\xff\xff\0"));
    }
}

#[test]
fn a_request_cut_at_any_byte() {
    let broker = TestBroker::start(&[]);
    let whole = request_frame(1, 5, &named());
    let body = &whole[4..];
    for end in 0..body.len() {
        let mut client = broker.connect();
        client.send(&frame(&body[..end]));
        client.expect_closed(&format!("cut at byte {end}"));
    }
    still_serves(&broker);
}

#[test]
fn a_client_id_of_line_breaks_is_only_a_name() {
    let broker = TestBroker::start(&[]);
    let name = "\n".repeat(32_767);
    let rest = [&32_767_i16.to_be_bytes()[..], name.as_bytes()].concat();
    let mut client = broker.connect();
    client.send(&headed(18, 0, &rest));
    assert!(client.read_frame().is_some());
}

#[test]
fn noise() {
    let broker = TestBroker::start(&[]);
    let rng = SeededRng::new(11);
    let mut bytes = vec![0; NOISE_BYTES + NOISE_CONNECTIONS];
    rng.fill(&mut bytes);
    // Each begins at another byte, which is as good as other noise.
    for noise in bytes.windows(NOISE_BYTES).take(NOISE_CONNECTIONS) {
        let mut client = broker.connect();
        let _ = client.try_send(noise);
        // As a length noise is mostly too much; where it is not, more would be waited for.
        let length = i32::from_be_bytes([noise[0], noise[1], noise[2], noise[3]]);
        if !(0..=104_857_600).contains(&length) {
            client.expect_closed("noise");
        }
    }
    still_serves(&broker);
    wait_until("nothing is left of it", || {
        broker.metric("milena_request_bytes_held", None) < 1 << 20
    });
}

#[test]
fn half_a_frame_and_silence() {
    let (clock, time) = TestClock::manual();
    let broker = TestBroker::start_in(clock, &[]);
    let mut client = broker.connect();
    client.send(&104_857_600_i32.to_be_bytes());
    client.send(&[0; 100]);
    has_received(&broker, 104);
    assert!(broker.metric("milena_request_bytes_held", None) < 1 << 20, "nothing by the claim");
    wait_until("it is closed", || {
        time.advance(Duration::from_secs(31));
        broker.metric(CLOSED, Some("half_frame")) == 1
    });
    client.expect_closed("half a frame");
}

#[test]
fn a_byte_now_and_then_is_no_progress() {
    let (clock, time) = TestClock::manual();
    let broker = TestBroker::start_in(clock, &[]);
    let mut client = broker.connect();
    let closed = || broker.metric(CLOSED, Some("half_frame")) == 1;
    // Were each byte a reason to wait longer, the whole frame would come in.
    for (before, byte) in (0..).zip(frame(&[0; 100])) {
        if closed() || client.try_send(&[byte]).is_err() {
            break;
        }
        wait_until("it is read", || closed() || broker.metric(RECEIVED, None) == before + 1);
        time.advance(Duration::from_secs(5));
    }
    wait_until("it is closed", closed);
}

fn has_received(broker: &TestBroker, bytes: i64) {
    wait_until("all is read", || broker.metric(RECEIVED, None) == bytes);
}

const NOISE_BYTES: usize = 1 << 20;
const NOISE_CONNECTIONS: usize = 10_000;
const PRODUCE: i16 = 0;
const METADATA: i16 = 3;
const CLOSED: &str = "milena_connections_closed_total";
const RECEIVED: &str = "milena_bytes_received_total";
