//! ListConfigResources v0-1.

use milena_protocol::{ErrorCode, messages::ListConfigResourcesRequest};
use milena_tests::TestBroker;

use super::{BROKER, TOPIC};
use crate::topics::create_topics::create;

#[test]
fn resources_are_listed_by_type() {
    let broker = TestBroker::start(&[]);
    let mut client = broker.connect();
    create(&mut client, "a", 1);
    let mut list = |version, types: &[i8]| {
        let request = ListConfigResourcesRequest { resource_types: types.to_vec() };
        let response = client.ask(version, &request);
        let found: Vec<(String, i8)> = response
            .config_resources
            .iter()
            .map(|one| (one.resource_name.to_string(), one.resource_type))
            .collect();
        (response.error_code, found)
    };
    let of = |name: &str, number| (name.to_owned(), number);
    assert_eq!(list(0, &[]), (ErrorCode::None, vec![]));
    assert_eq!(list(1, &[TOPIC]), (ErrorCode::None, vec![of("a", TOPIC)]));
    assert_eq!(list(1, &[BROKER, 16, 32]), (ErrorCode::None, vec![of("1", BROKER)]));
    assert_eq!(list(1, &[]), (ErrorCode::None, vec![of("a", TOPIC), of("1", BROKER), of("1", 8)]));
    assert_eq!(list(1, &[99]), (ErrorCode::UnsupportedVersion, vec![]));
}
