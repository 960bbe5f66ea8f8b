//! Connections that are open and say nothing.

use milena_protocol::{ErrorCode, messages::ApiVersionsRequest};
use milena_tests::RawClient;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tempfile::TempDir;

use crate::program;

#[test]
fn twenty_thousand_idle_connections_take_little_memory_each() {
    let count = connections();
    println!("{count} of 20000 connections: what the limit on open files allows");
    let directory = TempDir::new().unwrap();
    let broker = program().start(&directory.path().join("data"), &[]);
    for _ in 0..WARM_UP {
        assert_eq!(ask(&mut broker.connect()), ErrorCode::None);
    }
    let before = broker.resident_bytes();
    let mut clients = Vec::new();
    for _ in 0..count {
        let mut client = broker.connect();
        // It was there and was served: what it took for that is given back.
        assert_eq!(ask(&mut client), ErrorCode::None);
        clients.push(client);
    }
    let each = broker.resident_bytes().saturating_sub(before) / count;
    println!("{each} bytes for each of {count} idle connections");
    assert!(each <= BYTES_EACH_MAX, "{each} bytes for each");
    assert_eq!(ask(&mut broker.connect()), ErrorCode::None);
    assert_eq!(ask(&mut clients[0]), ErrorCode::None);
    drop(clients);
    assert_eq!(ask(&mut broker.connect()), ErrorCode::None);
    broker.stop();
}

fn ask(client: &mut RawClient) -> ErrorCode {
    client.ask(0, &ApiVersionsRequest::default()).error_code
}

/// As many as both processes may have. Each has a descriptor here and one there, where a part of
/// all is kept back for logs.
fn connections() -> u64 {
    let wanted = Rlimit { current: Some(DESCRIPTORS), maximum: Some(DESCRIPTORS) };
    // Only root may have more than it was given; the broker inherits it.
    if setrlimit(Resource::Nofile, wanted).is_err() {
        let given = getrlimit(Resource::Nofile).maximum;
        setrlimit(Resource::Nofile, Rlimit { current: given, maximum: given }).unwrap();
    }
    let given = getrlimit(Resource::Nofile).current.unwrap_or(DESCRIPTORS);
    (given / 4 * 3 - OTHER_FILES).min(20_000)
}

const DESCRIPTORS: u64 = 40_000;
const OTHER_FILES: u64 = 256;
const BYTES_EACH_MAX: u64 = 10 << 10;
const WARM_UP: usize = 100;
