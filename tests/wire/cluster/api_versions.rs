//! ApiVersions v0-5.

use milena_protocol::{
    ErrorCode,
    messages::{
        ApiKey, ApiVersionsRequest, ApiVersionsResponse, cluster::api_versions::ApiVersion,
    },
    wire::{FrameWriter, Message, Str, header::RequestHeader, header::ResponseHeader},
};
use milena_tests::{RawClient, TestBroker, frame};

pub(crate) fn named() -> ApiVersionsRequest {
    ApiVersionsRequest {
        client_software_name: Str::from_static("raw"),
        client_software_version: Str::from_static("1.0"),
        ..ApiVersionsRequest::default()
    }
}

#[test]
fn every_version_lists_what_is_served() {
    let broker = TestBroker::start(&[]);
    let mut client = broker.connect();
    for version in 0..=5 {
        let response = client.ask(version, &named());
        assert_eq!(response.error_code, ErrorCode::None);
        assert_eq!(response.api_keys, broker.services().apis);
        assert!(response.api_keys.is_sorted_by_key(|api| api.api_key));
    }
}

#[test]
fn features_are_told_from_version_3_on() {
    let broker = TestBroker::start(&[]);
    let mut client = broker.connect();
    for version in 3..=5 {
        let response = client.ask(version, &named());
        let supported = response.supported_features.iter().map(|feature| &*feature.name);
        // Version 3 has no room for a feature that can be switched off.
        let all = ["group.version", "metadata.version", "transaction.version"];
        let shown = if version < 4 { &all[1..2] } else { &all[..] };
        assert_eq!(supported.collect::<Vec<_>>(), shown);
        let finalized = response.finalized_features.iter().map(|feature| &*feature.name);
        assert_eq!(finalized.collect::<Vec<_>>(), all);
        assert!(response.finalized_features_epoch >= 0);
        assert!(!response.zk_migration_ready);
    }
    assert_eq!(client.ask(2, &named()).finalized_features, []);
}

#[test]
fn an_unknown_version_is_answered_in_version_0() {
    let broker = TestBroker::start(&[]);
    let mut client = broker.connect();
    for version in [99, 6, -1] {
        let header = RequestHeader {
            api_key: ApiKey::ApiVersions.number(),
            api_version: version,
            correlation_id: 77,
            client_id: None,
        };
        let mut writer = FrameWriter::new();
        header.encode(&mut writer);
        send(&mut client, writer);
        let mut answer = client.read_frame().unwrap();
        let header = ResponseHeader::decode(&mut answer, ApiKey::ApiVersions, version).unwrap();
        assert_eq!(header.correlation_id, 77);
        let response = ApiVersionsResponse::decode_body(answer, 0).unwrap();
        assert_eq!(response.error_code, ErrorCode::UnsupportedVersion);
        let own = ApiVersion { api_key: 18, min_version: 0, max_version: 5 };
        assert_eq!(response.api_keys, [own]);
    }
    assert_eq!(client.ask(0, &named()).error_code, ErrorCode::None, "the connection stays");
}

#[test]
fn who_meant_another_cluster_or_broker_is_told_to_start_over() {
    let broker = TestBroker::start(&[("node.id", "4")]);
    let mut client = broker.connect();
    let own = broker.services().identity.cluster_id.clone();
    let mut code = |cluster_id: Option<&str>, node_id| {
        let cluster_id = cluster_id.map(Str::from);
        client.ask(5, &ApiVersionsRequest { cluster_id, node_id, ..named() }).error_code
    };
    assert_eq!(code(Some(&own), 4), ErrorCode::None);
    assert_eq!(code(None, -1), ErrorCode::None);
    assert_eq!(code(Some("other"), 4), ErrorCode::RebootstrapRequired);
    assert_eq!(code(Some(&own), 5), ErrorCode::RebootstrapRequired);
}

#[test]
fn a_name_that_could_forge_a_log_line_is_an_invalid_request() {
    let broker = TestBroker::start(&[]);
    let mut client = broker.connect();
    for name in ["a b\n", "", "-a", "a_b"] {
        let request =
            ApiVersionsRequest { client_software_name: Str::from_static(name), ..named() };
        assert_eq!(client.ask(3, &request).error_code, ErrorCode::InvalidRequest, "{name:?}");
    }
    assert_eq!(client.ask(3, &named()).error_code, ErrorCode::None);
}

fn send(client: &mut RawClient, writer: FrameWriter) {
    let bytes: Vec<u8> = writer
        .finish_unframed()
        .into_chunks()
        .flat_map(|chunk| match chunk {
            milena_protocol::wire::Chunk::Bytes(bytes) => bytes,
            milena_protocol::wire::Chunk::Range(range) => panic!("a file: {range:?}"),
        })
        .collect();
    client.send(&frame(&bytes));
}
