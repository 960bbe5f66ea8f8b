//! WriteTxnMarkers v1-2.

use milena_protocol::{
    ErrorCode,
    messages::{
        WriteTxnMarkersRequest,
        txn::write_txn_markers::{WritableTxnMarker, WritableTxnMarkerTopic},
    },
};

use super::{broker, connect, producer};

#[test]
fn each_partition_has_its_own_answer() {
    let broker = broker();
    let mut client = connect(&broker);
    let by = producer(&mut client, "x");
    for version in [1, 2] {
        let topic = |name: &str, partitions: &[i32]| WritableTxnMarkerTopic {
            name: name.into(),
            partition_indexes: partitions.to_vec(),
        };
        let marker = WritableTxnMarker {
            producer_id: by.id,
            producer_epoch: by.epoch,
            transaction_result: false,
            topics: vec![topic("t", &[0, 5]), topic("absent", &[0])],
            ..WritableTxnMarker::default()
        };
        let request = WriteTxnMarkersRequest { markers: vec![marker] };
        let told = client.ask(version, &request).markers.remove(0);
        assert_eq!(told.producer_id, by.id);
        let codes: Vec<_> = told
            .topics
            .iter()
            .flat_map(|topic| topic.partitions.iter().map(|one| one.error_code))
            .collect();
        let absent = ErrorCode::UnknownTopicOrPartition;
        assert_eq!(codes, [ErrorCode::None, absent, absent]);
    }
}
