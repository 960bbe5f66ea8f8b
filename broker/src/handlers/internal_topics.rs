//! The topics that brokers keep their own state in, as they are created when first needed.

use milena_protocol::{
    messages::topics::create_topics::{CreatableTopic, CreatableTopicConfig},
    wire::Str,
};

use crate::{coordinator::group, services::Services};

/// How to create the topic called `name`, if it is one of these.
pub(super) fn creatable(services: &Services, name: &str) -> Option<CreatableTopic> {
    if name != group::TOPIC {
        return None;
    }
    let settings = services.config.load();
    let brokers = services.metadata.image().brokers().filter(|broker| !broker.fenced).count();
    let brokers = i16::try_from(brokers).unwrap_or(i16::MAX).max(1);
    let wanted = settings.groups.offsets_topic_replication_factor;
    Some(CreatableTopic {
        name: Str::from_static(group::TOPIC),
        num_partitions: settings.groups.offsets_topic_partitions,
        replication_factor: i16::try_from(wanted).unwrap_or(i16::MAX).min(brokers),
        configs: SETTINGS.iter().map(setting).collect(),
        ..CreatableTopic::default()
    })
}

fn setting((name, value): &(&'static str, &'static str)) -> CreatableTopicConfig {
    CreatableTopicConfig { name: Str::from_static(name), value: Some(Str::from_static(value)) }
}

/// The state is what was written last under each key, however long ago: nothing of it may go by
/// age or size, whatever becomes of the policy.
const SETTINGS: &[(&str, &str)] = &[
    ("cleanup.policy", "compact"),
    ("compression.type", "producer"),
    ("retention.bytes", "-1"),
    ("retention.ms", "-1"),
    ("segment.bytes", "104857600"),
];
