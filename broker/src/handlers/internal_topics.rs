//! The topics that brokers keep their own state in, as they are created when first needed.

use milena_protocol::{
    messages::topics::create_topics::{CreatableTopic, CreatableTopicConfig},
    wire::Str,
};

use tracing::warn;

use crate::{
    coordinator::{group, txn},
    services::Services,
};

/// How to create the topic called `name`, if it is one of these.
pub(super) fn creatable(services: &Services, name: &str) -> Option<CreatableTopic> {
    let settings = services.config.load();
    let brokers = services.metadata.image().brokers().filter(|broker| !broker.fenced).count();
    let brokers = i16::try_from(brokers).unwrap_or(i16::MAX).max(1);
    let (num_partitions, wanted, own) = match name {
        group::TOPIC => {
            let groups = &settings.groups;
            let own = vec![
                ("compression.type", "producer".to_owned()),
                ("segment.bytes", "104857600".to_owned()),
            ];
            (groups.offsets_topic_partitions, groups.offsets_topic_replication_factor, own)
        }
        txn::TOPIC => {
            let transactions = &settings.transactions;
            let in_sync = transactions.topic_min_isr.min(i32::from(brokers));
            let own = vec![
                ("compression.type", "uncompressed".to_owned()),
                ("min.insync.replicas", in_sync.to_string()),
                ("segment.bytes", transactions.topic_segment_bytes.to_string()),
            ];
            (transactions.topic_partitions, transactions.topic_replication_factor, own)
        }
        _ => return None,
    };
    let shared = SETTINGS.iter().map(|&(name, value)| (name, value.to_owned()));
    Some(CreatableTopic {
        name: Str::from(name),
        num_partitions,
        replication_factor: i16::try_from(wanted).unwrap_or(i16::MAX).min(brokers),
        configs: shared.chain(own).map(setting).collect(),
        ..CreatableTopic::default()
    })
}

/// Creates the topic called `name`, one of these, when somebody first needs it.
pub(super) async fn make_sure_of(services: &Services, name: &'static str) {
    if services.metadata.image().topic(name).is_some() {
        return;
    }
    let Some(topic) = creatable(services, name) else { return };
    let outcomes = services.controller.create_topics(vec![topic], false).await;
    // Another request may have been faster.
    let failed = outcomes.into_iter().find_map(Result::err);
    if let Some(refusal) = failed.filter(|_| services.metadata.image().topic(name).is_none()) {
        warn!(topic = name, ?refusal, "could not create a topic that brokers keep state in");
    }
}

fn setting((name, value): (&'static str, String)) -> CreatableTopicConfig {
    CreatableTopicConfig { name: Str::from_static(name), value: Some(Str::from(value)) }
}

/// The state is what was written last under each key, however long ago: nothing of it may go by
/// age or size, whatever becomes of the policy. It is synced before it counts, whatever is set.
const SETTINGS: &[(&str, &str)] = &[
    ("cleanup.policy", "compact"),
    ("flush.policy", "ack"),
    ("retention.bytes", "-1"),
    ("retention.ms", "-1"),
];
