//! FindCoordinator v0-6.

use milena_protocol::{ErrorCode, messages::FindCoordinatorRequest, wire::Str};
use milena_tests::TestBroker;

#[test]
fn there_is_no_coordinator_yet() {
    let broker = TestBroker::start(&[]);
    let mut client = broker.connect();
    for version in 0..=6 {
        for (key_type, least, code) in [
            (0, 0, ErrorCode::CoordinatorNotAvailable),
            (1, 1, ErrorCode::CoordinatorNotAvailable),
            (2, 6, ErrorCode::CoordinatorNotAvailable),
            (9, 1, ErrorCode::InvalidRequest),
        ] {
            let expected = if version < least { ErrorCode::InvalidRequest } else { code };
            if version == 0 && key_type != 0 {
                continue;
            }
            let mut request = FindCoordinatorRequest { key_type, ..Default::default() };
            if version < 4 {
                request.key = Str::from_static("a");
                let response = client.ask(version, &request);
                assert_eq!((response.error_code, response.node_id), (expected, -1));
            } else {
                request.coordinator_keys = ["a", "b"].map(Str::from_static).to_vec();
                let response = client.ask(version, &request);
                let answers: Vec<_> = response
                    .coordinators
                    .iter()
                    .map(|one| (one.key.as_str(), one.error_code))
                    .collect();
                assert_eq!(answers, [("a", expected), ("b", expected)]);
            }
        }
    }
}
