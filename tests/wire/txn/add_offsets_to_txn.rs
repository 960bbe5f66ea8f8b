//! AddOffsetsToTxn v0-4.

use milena_protocol::{ErrorCode, messages::AddOffsetsToTxnRequest};

use super::{broker, connect, describe, producer};

#[test]
fn the_partition_that_holds_the_group_becomes_part_of_the_transaction() {
    let broker = broker();
    let mut client = connect(&broker);
    for version in 0..=4 {
        let id = format!("x{version}");
        let by = producer(&mut client, &id);
        let request = AddOffsetsToTxnRequest {
            transactional_id: id.as_str().into(),
            producer_id: by.id,
            producer_epoch: by.epoch,
            group_id: "group".into(),
        };
        assert_eq!(client.ask(version, &request).error_code, ErrorCode::None);
        let found = describe(&mut client, &id);
        assert_eq!(found.topics[0].topic, "__consumer_offsets");
        assert_eq!(found.topics[0].partitions.len(), 1);
        let older = AddOffsetsToTxnRequest { producer_epoch: by.epoch - 1, ..request };
        let code = match version {
            0 | 1 => ErrorCode::InvalidProducerEpoch,
            _ => ErrorCode::ProducerFenced,
        };
        assert_eq!(client.ask(version, &older).error_code, code);
    }
}
