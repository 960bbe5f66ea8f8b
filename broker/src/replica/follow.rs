//! Following the metadata: logs are made, configured and deleted as the image changes.

use std::sync::{Arc, atomic::Ordering};

use milena_storage::manager::{ManagerError, PartitionName};
use tracing::{error, info};

use super::{
    Partition, PartitionKey, Replicas, Topic,
    partition::{Leadership, Made, Place, Volume},
    settings::log_config,
    topic::Slot,
};
use crate::{
    config::TopicConfig,
    metadata::{self, Follow, Image, Resource, ResourceKind, TopicChange},
};

impl Follow for Replicas {
    fn changed(&self, before: &Image, after: &Arc<Image>) {
        // A name may be given up and taken in one step: what goes, goes first.
        for change in after.topic_changes(before) {
            if let TopicChange::Deleted(topic) = change {
                self.delete(topic);
            }
        }
        for change in after.topic_changes(before) {
            match change {
                TopicChange::Created(topic) | TopicChange::Changed { after: topic, .. } => {
                    self.host(topic, after);
                }
                TopicChange::Deleted(_) => {}
            }
        }
        self.reconfigure(before, after);
    }
}

impl Replicas {
    /// Brings what is here of a topic up to what the metadata say of it.
    fn host(&self, told: &metadata::Topic, image: &Image) {
        let topic = match self.topic_by_id(told.id) {
            Some(topic) => topic,
            None => Arc::new(Topic::new(told.id, told.name.clone())),
        };
        let config = self.topic_config(&told.name, image);
        let slots = (0..).zip(&told.partitions).enumerate().map(|(at, (index, partition))| {
            if !partition.is_led_by(self.node_id) {
                return Slot::Absent;
            }
            let leadership = Leadership {
                leader_epoch: partition.leader_epoch,
                in_sync_replicas: partition.isr.len(),
            };
            match topic.slot(at) {
                Slot::Online(partition) => {
                    partition.set_leadership(leadership);
                    Slot::Online(partition)
                }
                Slot::Absent | Slot::Offline => self.open(&topic, index, leadership, &config),
            }
        });
        topic.set_slots(slots.collect());
        // Nobody finds a topic before its partitions are there.
        self.by_id.insert(topic.id, Arc::clone(&topic));
        self.by_name.insert(topic.name.clone(), topic);
    }

    fn open(
        &self,
        topic: &Topic,
        index: i32,
        leadership: Leadership,
        config: &Arc<TopicConfig>,
    ) -> Slot {
        match self.log_of(topic, index, config) {
            Ok((name, place)) => {
                let made = Made {
                    topic: topic.name.clone(),
                    topic_id: topic.id,
                    name,
                    key: PartitionKey(self.next_key.fetch_add(1, Ordering::Relaxed)),
                    place,
                    leadership,
                    config: Arc::clone(config),
                };
                Slot::Online(Partition::new(made, self.shared.clone()))
            }
            Err(reason) => {
                error!(topic = %topic.name, partition = index, reason, "partition is offline");
                Slot::Offline
            }
        }
    }

    /// The partition's log where it was found at the start, or a new one in the directory that has
    /// the fewest.
    fn log_of(
        &self,
        topic: &Topic,
        index: i32,
        config: &TopicConfig,
    ) -> Result<(PartitionName, Place), String> {
        let name = PartitionName::new(&topic.name, index).ok_or("not a name for a directory")?;
        if self.damaged.contains(&name) {
            return Err("its log could not be opened at the start".to_owned());
        }
        let holds = |volume: &&Arc<Volume>| volume.dir.get(&name).is_some();
        let fewest = || self.volumes.iter().min_by_key(|volume| volume.dir.names().len());
        let home = self.volumes.iter().find(holds).or_else(fewest);
        let volume = home.ok_or("there is no log directory")?;
        let log_config = Arc::new(log_config(&self.config.load(), config));
        let now = self.clock.now();
        let log = volume
            .dir
            .create(&topic.name, topic.id, index, &log_config, now)
            .map_err(|error| error.to_string())?;
        // What is shown to consumers must not be lost in the next crash.
        if log.is_dirty() {
            log.flush().map_err(|error| error.to_string())?;
        }
        Ok((name, Place { volume: Arc::clone(volume), log }))
    }

    fn delete(&self, told: &metadata::Topic) {
        let Some((_, topic)) = self.by_id.remove(&told.id) else { return };
        self.by_name.remove_if(&topic.name, |_, named| named.id == topic.id);
        for (at, index) in (0..told.partitions.len()).zip(0..) {
            match topic.slot(at) {
                Slot::Online(partition) => self.delete_log(&partition),
                Slot::Offline => self.clear_away(&topic, index),
                Slot::Absent => {}
            }
        }
        topic.set_slots(Vec::new());
        info!(topic = %topic.name, id = %topic.id, "deleted topic");
    }

    fn delete_log(&self, partition: &Partition) {
        partition.leave();
        match partition.place().volume.dir.delete(partition.name()) {
            Ok(deleted) => self.remove_partition_later(partition, deleted),
            Err(error) => error!(?partition, %error, "could not delete the log"),
        }
    }

    /// Removes what could not be opened, so that another topic can have the name.
    fn clear_away(&self, topic: &Topic, index: i32) {
        let Some(name) = PartitionName::new(&topic.name, index) else { return };
        self.damaged.remove(&name);
        for dir in self.volumes.iter().map(|volume| &volume.dir) {
            match dir.delete(&name) {
                Ok(deleted) => self.remove_soon(dir, deleted),
                Err(ManagerError::NotOpen { .. }) => {}
                Err(error) => error!(%name, %error, "could not delete a damaged log"),
            }
        }
    }

    /// Puts changed settings in force. A setting of the broker is the default of every topic.
    fn reconfigure(&self, before: &Image, after: &Image) {
        let mut broker_changed = false;
        for resource in after.settings_changes(before) {
            match resource.kind {
                ResourceKind::Topic => {
                    if let Some(topic) = self.topic_named(&resource.name) {
                        self.configure(&topic, after);
                    }
                }
                ResourceKind::Broker => broker_changed = true,
            }
        }
        if broker_changed {
            for topic in self.by_id.iter().map(|entry| Arc::clone(&entry)).collect::<Vec<_>>() {
                self.configure(&topic, after);
            }
        }
    }

    fn configure(&self, topic: &Topic, image: &Image) {
        let config = self.topic_config(&topic.name, image);
        let log_config = Arc::new(log_config(&self.config.load(), &config));
        for partition in topic.partitions() {
            partition.set_config(Arc::clone(&config), Arc::clone(&log_config));
        }
    }

    pub(super) fn topic_config(&self, name: &str, image: &Image) -> Arc<TopicConfig> {
        let overrides = image.settings(&Resource::topic(name));
        Arc::new(self.config.load().topic.with(&overrides))
    }
}
