//! Keeps the broker's configuration in step with what is set for it while it runs.

use std::sync::Arc;

use arc_swap::ArcSwap;
use tracing::error;

use super::{Follow, Image, Resource};
use crate::config::BrokerConfig;

/// To be subscribed before whoever derives something from the configuration.
#[derive(Debug)]
pub struct DynamicConfig {
    node_id: i32,
    config: Arc<ArcSwap<BrokerConfig>>,
}

impl DynamicConfig {
    /// Follows the settings of broker `node_id` and of all brokers into `config`.
    #[must_use]
    pub fn new(node_id: i32, config: Arc<ArcSwap<BrokerConfig>>) -> Self {
        Self { node_id, config }
    }
}

impl Follow for DynamicConfig {
    fn changed(&self, before: &Image, after: &Arc<Image>) {
        let own = Resource::broker(self.node_id);
        let all = Resource::all_brokers();
        if !after.settings_changes(before).any(|resource| *resource == own || *resource == all) {
            return;
        }
        let (cluster, node) = (after.settings(&all), after.settings(&own));
        let current = self.config.load();
        match current.with_dynamic((*cluster).clone(), (*node).clone()) {
            Ok(changed) => self.config.store(Arc::new(changed)),
            Err(wrong) => {
                for error in wrong {
                    error!(%error, "kept the configuration as it was: the metadata has a bad value");
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use milena_protocol::{
        state::metadata::{ConfigRecord, MetadataRecord},
        wire::Str,
    };

    use super::*;
    use crate::config::Settings;

    fn set(image: &Image, broker: &'static str, value: Option<&'static str>) -> Arc<Image> {
        let record: MetadataRecord = ConfigRecord {
            resource_type: 4,
            resource_name: Str::from_static(broker),
            name: Str::from_static("message.max.bytes"),
            value: value.map(Str::from_static),
        }
        .into();
        let mut image = image.clone();
        image.apply(&record, image.end()).unwrap();
        Arc::new(image)
    }

    #[test]
    fn the_configuration_follows_the_metadata_and_goes_back() {
        let started = BrokerConfig::from_settings(Settings::new()).unwrap();
        let config = Arc::new(ArcSwap::from_pointee(started.clone()));
        let follower = DynamicConfig::new(1, Arc::clone(&config));
        let max = || config.load().topic.max_message_bytes;

        let empty = Image::default();
        let for_all = set(&empty, "", Some("7"));
        follower.changed(&empty, &for_all);
        assert_eq!(max(), 7);
        let for_another = set(&for_all, "2", Some("8"));
        follower.changed(&for_all, &for_another);
        assert_eq!(max(), 7);
        let for_us = set(&for_another, "1", Some("9"));
        follower.changed(&for_another, &for_us);
        assert_eq!(max(), 9);
        let bad = set(&for_us, "1", Some("-1"));
        follower.changed(&for_us, &bad);
        assert_eq!(max(), 9);
        follower.changed(&bad, &Arc::new(empty));
        assert_eq!(**config.load(), started);
    }
}
