//! Following the metadata: logs are made, configured and deleted as the image changes.

use std::sync::{Arc, MutexGuard, PoisonError, atomic::Ordering};

use milena_storage::{
    log::Log,
    manager::{ManagerError, PartitionName},
};
use tracing::{error, info};

use super::{
    Partition, PartitionKey, Replicas, Topic,
    partition::{Leadership, Made, Place, Volume},
    settings::log_config,
    topic::Slot,
};
use crate::{
    config::TopicConfig,
    metadata::{self, Follow, Image, Resource, ResourceKind, TopicChange, settings_in_force},
};

impl Follow for Replicas {
    fn changed(&self, before: &Image, after: &Arc<Image>) {
        let mut followed = self.followed();
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
        *followed = Some(Arc::clone(after));
    }
}

impl Replicas {
    /// Tries again to open what could not be made, as on a disk that was full.
    pub(super) fn retry_offline(&self) {
        let followed = self.followed();
        let Some(image) = &*followed else { return };
        for topic in self.by_id.iter().map(|entry| Arc::clone(&entry)).collect::<Vec<_>>() {
            let may_open = |index: i32| {
                let name = PartitionName::new(&topic.name, index);
                name.is_some_and(|name| !self.damaged.contains(&name))
            };
            if let Some(told) = image.topic_by_id(topic.id)
                && topic.offline().into_iter().any(may_open)
            {
                self.host(told, image);
            }
        }
    }

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
                let partition = Partition::new(made, self.shared.clone());
                self.resume_move(&partition);
                Slot::Online(partition)
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
        let mut volumes: Vec<&Arc<Volume>> = match self.volumes.iter().find(holds) {
            Some(home) => vec![home],
            None => self.volumes.iter().filter(|volume| !volume.has_failed()).collect(),
        };
        volumes.sort_by_key(|volume| volume.dir.names().len());
        let log_config = Arc::new(log_config(&self.config.load(), config));
        let now = self.clock.now();
        // What one directory cannot hold may fit into the next.
        let mut reason = "there is no log directory".to_owned();
        for volume in volumes {
            let created = volume.dir.create(&topic.name, topic.id, index, &log_config, now);
            match created.map_err(|error| error.to_string()).and_then(durable) {
                Ok(log) => return Ok((name, Place { volume: Arc::clone(volume), log })),
                Err(error) => reason = error,
            }
        }
        Err(reason)
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
        match partition.delete_log() {
            Ok((dir, deleted)) => self.remove_partition_later(partition, &dir, deleted),
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
                ResourceKind::Group => {}
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

    fn followed(&self) -> MutexGuard<'_, Option<Arc<Image>>> {
        self.followed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn topic_config(&self, name: &str, image: &Image) -> Arc<TopicConfig> {
        let overrides = image.settings(&Resource::topic(name));
        let settings = settings_in_force(name, &overrides);
        Arc::new(self.config.load().topic.with(&settings))
    }
}

/// What is shown to consumers must not be lost in the next crash.
fn durable(log: Arc<Log>) -> Result<Arc<Log>, String> {
    if log.is_dirty() {
        log.flush().map_err(|error| error.to_string())?;
    }
    Ok(log)
}
