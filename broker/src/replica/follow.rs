//! Following the metadata: logs are made, configured and deleted as the image changes.

use std::sync::{Arc, MutexGuard, PoisonError, atomic::Ordering};

use milena_protocol::Uuid;
use milena_storage::{
    log::{Log, LogConfig},
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
        let (mut slots, mut wanted) = (Vec::with_capacity(told.partitions.len()), Vec::new());
        for ((at, index), partition) in (0..).zip(0..).zip(&told.partitions) {
            let leadership = Leadership {
                leader_epoch: partition.leader_epoch,
                in_sync_replicas: partition.isr.len(),
            };
            slots.push(match topic.slot(at) {
                _ if !partition.is_led_by(self.node_id) => Slot::Absent,
                Slot::Online(partition) => {
                    partition.set_leadership(leadership);
                    Slot::Online(partition)
                }
                Slot::Absent | Slot::Offline => {
                    wanted.push(Wanted { at, index, leadership });
                    Slot::Offline
                }
            });
        }
        let opened = self.open_all(&topic, &wanted, &config);
        for (wanted, partition) in wanted.iter().zip(opened) {
            match (partition, slots.get_mut(wanted.at)) {
                (Ok(partition), Some(slot)) => *slot = Slot::Online(partition),
                (Err(reason), _) => {
                    let index = wanted.index;
                    error!(topic = %topic.name, partition = index, reason, "partition is offline");
                }
                (Ok(_), None) => {}
            }
        }
        topic.set_slots(slots);
        // Nobody finds a topic before its partitions are there.
        self.by_id.insert(topic.id, Arc::clone(&topic));
        self.by_name.insert(topic.name.clone(), topic);
    }

    /// One outcome for each of the partitions, in their order.
    fn open_all(
        &self,
        topic: &Topic,
        wanted: &[Wanted],
        config: &Arc<TopicConfig>,
    ) -> Vec<Result<Arc<Partition>, String>> {
        let first = PartitionName::new(&topic.name, 0);
        let name = |wanted: &Wanted| {
            let name = first.as_ref().and_then(|first| first.sibling(wanted.index));
            let name = name.ok_or("not a name for a directory")?;
            let damaged = self.damaged.contains(&name);
            if damaged { Err("its log could not be opened at the start") } else { Ok(name) }
        };
        let named: Vec<Result<PartitionName, &str>> = wanted.iter().map(name).collect();
        let names: Vec<PartitionName> = named.iter().flatten().cloned().collect();
        let mut places = self.places(topic.id, &names, config).into_iter();
        let open = |(wanted, name): (&Wanted, Result<PartitionName, &str>)| {
            let name = name?;
            let made = Made {
                topic: topic.name.clone(),
                topic_id: topic.id,
                name,
                key: PartitionKey(self.next_key.fetch_add(1, Ordering::Relaxed)),
                place: places.next().unwrap_or_else(|| Err(NO_DIRECTORY.to_owned()))?,
                leadership: wanted.leadership,
                config: Arc::clone(config),
            };
            let partition = Partition::new(made, self.shared.clone());
            self.resume_move(&partition);
            Ok(partition)
        };
        wanted.iter().zip(named).map(open).collect()
    }

    /// The logs of a topic's partitions where they were found at the start, or new ones in the
    /// directories that have the fewest.
    fn places(
        &self,
        topic_id: Uuid,
        names: &[PartitionName],
        config: &TopicConfig,
    ) -> Vec<Result<Place, String>> {
        let config = Arc::new(log_config(&self.config.load(), config));
        let mut counts: Vec<usize> = self.volumes.iter().map(|it| it.dir.count()).collect();
        let homes: Vec<_> = names.iter().map(|name| self.home_of(name, &mut counts)).collect();
        let mut places: Vec<Result<Place, String>> =
            names.iter().map(|_| Err(NO_DIRECTORY.to_owned())).collect();
        for (home, volume) in self.volumes.iter().enumerate() {
            let named = names.iter().zip(&homes).filter(|(_, at)| **at == Some(home));
            let chosen: Vec<PartitionName> = named.map(|(name, _)| name.clone()).collect();
            let made = self.make(volume, topic_id, &chosen, &config);
            let theirs = places.iter_mut().zip(&homes).filter(|(_, at)| **at == Some(home));
            theirs.zip(made).for_each(|((place, _), made)| *place = made);
        }
        // What one directory cannot hold may fit into the next.
        for ((name, home), place) in names.iter().zip(homes).zip(&mut places) {
            for (at, volume) in self.volumes.iter().enumerate() {
                if place.is_err() && home != Some(at) && !volume.has_failed() && !self.holds(name) {
                    let made = self.make(volume, topic_id, std::slice::from_ref(name), &config);
                    made.into_iter().for_each(|made| *place = made);
                }
            }
        }
        places
    }

    /// Which directory has this log, or is to have it; it is counted there then.
    fn home_of(&self, name: &PartitionName, counts: &mut [usize]) -> Option<usize> {
        let found = self.volumes.iter().position(|volume| volume.dir.get(name).is_some());
        found.or_else(|| {
            let usable = self.volumes.iter().zip(counts).enumerate();
            let usable = usable.filter(|(_, (volume, _))| !volume.has_failed());
            let (at, (_, count)) = usable.min_by_key(|(_, (_, count))| **count)?;
            *count += 1;
            Some(at)
        })
    }

    fn holds(&self, name: &PartitionName) -> bool {
        self.volumes.iter().any(|volume| volume.dir.get(name).is_some())
    }

    fn make(
        &self,
        volume: &Arc<Volume>,
        topic_id: Uuid,
        names: &[PartitionName],
        config: &Arc<LogConfig>,
    ) -> Vec<Result<Place, String>> {
        let made = volume.dir.create_all(names, topic_id, config, self.clock.now());
        let place = |log| Place { volume: Arc::clone(volume), log };
        let made = made.into_iter().map(|made| made.map_err(|error| error.to_string()));
        made.map(|made| made.and_then(durable).map(place)).collect()
    }

    fn delete(&self, told: &metadata::Topic) {
        let Some((_, topic)) = self.by_id.remove(&told.id) else { return };
        self.by_name.remove_if(&topic.name, |_, named| named.id == topic.id);
        let mut leaving = Vec::new();
        for (at, index) in (0..told.partitions.len()).zip(0..) {
            match topic.slot(at) {
                Slot::Online(partition) => {
                    partition.leave();
                    leaving.push(partition);
                }
                Slot::Offline => self.clear_away(&topic, index),
                Slot::Absent => {}
            }
        }
        self.delete_logs(&leaving);
        topic.set_slots(Vec::new());
        info!(topic = %topic.name, id = %topic.id, "deleted topic");
    }

    fn delete_logs(&self, partitions: &[Arc<Partition>]) {
        for volume in &self.volumes {
            let is_here = |it: &&Arc<Partition>| Arc::ptr_eq(&it.last_place().volume, volume);
            let here: Vec<&Arc<Partition>> = partitions.iter().filter(is_here).collect();
            let names: Vec<PartitionName> = here.iter().map(|it| it.name().clone()).collect();
            for (partition, deleted) in here.into_iter().zip(volume.dir.delete_all(&names)) {
                match deleted {
                    Ok(deleted) => self.remove_partition_later(partition, &volume.dir, deleted),
                    Err(error) => error!(?partition, %error, "could not delete the log"),
                }
            }
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

/// A partition that is to be here and is not.
struct Wanted {
    at: usize,
    index: i32,
    leadership: Leadership,
}

/// What is shown to consumers must not be lost in the next crash.
fn durable(log: Arc<Log>) -> Result<Arc<Log>, String> {
    if log.is_dirty() {
        log.flush().map_err(|error| error.to_string())?;
    }
    Ok(log)
}

const NO_DIRECTORY: &str = "there is no log directory";
