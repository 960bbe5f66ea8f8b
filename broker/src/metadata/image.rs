//! The cluster's state at one offset of the metadata log.

use std::{fmt, ops::Bound, sync::Arc};

use imbl::{OrdMap, Vector, ordmap::DiffItem};
use milena_protocol::{
    LeaderEpoch, Uuid,
    state::metadata::{
        BrokerRegistrationChangeRecord, ConfigRecord, MetadataRecord, PartitionChangeRecord,
        PartitionRecord, RegisterBrokerRecord, TopicRecord,
    },
    wire::Str,
};

use crate::config::Settings;

/// Immutable once published; a clone shares all that does not change.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Image {
    /// One past the last record that is in here.
    end: i64,
    topics: OrdMap<Uuid, Arc<Topic>>,
    ids: OrdMap<Str, Uuid>,
    /// Topics with a dot or an underscore in their name, by that name with every dot replaced:
    /// names that differ in nothing else would share one name in metrics.
    lookalikes: OrdMap<String, Uuid>,
    configs: OrdMap<Resource, Arc<Settings>>,
    brokers: OrdMap<i32, Arc<Broker>>,
    features: OrdMap<Str, i16>,
    next_producer_id: i64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Topic {
    pub id: Uuid,
    pub name: Str,
    /// By partition number: there are no gaps.
    pub partitions: Vector<Partition>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Partition {
    /// In order of preference.
    pub replicas: Vec<i32>,
    /// The log directory of each replica.
    pub directories: Vec<Uuid>,
    pub isr: Vec<i32>,
    /// -1: nobody.
    pub leader: i32,
    pub leader_epoch: LeaderEpoch,
    /// Counts every change of the partition.
    pub partition_epoch: i32,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broker {
    pub id: i32,
    /// Another one after each start.
    pub epoch: i64,
    pub incarnation: Uuid,
    pub endpoints: Vec<Endpoint>,
    pub rack: Option<Str>,
    pub fenced: bool,
    pub directories: Vec<Uuid>,
}

/// Where a broker's listener is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    pub listener: Str,
    pub host: Str,
    pub port: u16,
}

/// What settings are kept for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Resource {
    pub kind: ResourceKind,
    /// A topic's name, a broker's number or a group's id; empty for all brokers.
    pub name: Str,
}

impl Resource {
    #[must_use]
    pub fn topic(name: &str) -> Self {
        Self { kind: ResourceKind::Topic, name: Str::from(name) }
    }

    #[must_use]
    pub fn group(id: &str) -> Self {
        Self { kind: ResourceKind::Group, name: Str::from(id) }
    }

    #[must_use]
    pub fn broker(id: i32) -> Self {
        Self { kind: ResourceKind::Broker, name: Str::from(id.to_string()) }
    }

    #[must_use]
    pub fn all_brokers() -> Self {
        Self { kind: ResourceKind::Broker, name: Str::default() }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ResourceKind {
    Topic,
    Broker,
    Group,
}

impl ResourceKind {
    /// The wire's number.
    #[must_use]
    pub const fn number(self) -> i8 {
        match self {
            Self::Topic => 2,
            Self::Broker => 4,
            Self::Group => 32,
        }
    }

    #[must_use]
    pub const fn from_number(number: i8) -> Option<Self> {
        match number {
            2 => Some(Self::Topic),
            4 => Some(Self::Broker),
            32 => Some(Self::Group),
            _ => None,
        }
    }
}

/// What became of a topic between two images.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TopicChange<'a> {
    Created(&'a Arc<Topic>),
    Changed { before: &'a Arc<Topic>, after: &'a Arc<Topic> },
    Deleted(&'a Arc<Topic>),
}

impl Image {
    /// One past the last record of the metadata log that is in here.
    #[must_use]
    pub const fn end(&self) -> i64 {
        self.end
    }

    #[must_use]
    pub fn topic(&self, name: &str) -> Option<&Arc<Topic>> {
        self.topics.get(self.ids.get(name)?)
    }

    #[must_use]
    pub fn topic_by_id(&self, id: Uuid) -> Option<&Arc<Topic>> {
        self.topics.get(&id)
    }

    /// The topic whose name differs from `name` in dots and underscores alone, or not at all.
    #[must_use]
    pub fn lookalike(&self, name: &str) -> Option<&Arc<Topic>> {
        self.topics.get(self.lookalikes.get(&unify(name)?)?)
    }

    /// All topics by name.
    pub fn topics(&self) -> impl Iterator<Item = &Arc<Topic>> {
        self.ids.values().filter_map(|id| self.topics.get(id))
    }

    /// The topics whose name is `name` or comes after it, by name.
    pub fn topics_from(&self, name: &str) -> impl Iterator<Item = &Arc<Topic>> {
        let from = (Bound::Included(name), Bound::Unbounded);
        self.ids.range::<_, str>(from).filter_map(|(_, id)| self.topics.get(id))
    }

    /// A broker that has registered, fenced or not.
    #[must_use]
    pub fn broker(&self, id: i32) -> Option<&Arc<Broker>> {
        self.brokers.get(&id)
    }

    pub fn brokers(&self) -> impl Iterator<Item = &Arc<Broker>> {
        self.brokers.values()
    }

    /// What was set for a topic, a broker or all brokers; empty if nothing was.
    #[must_use]
    pub fn settings(&self, resource: &Resource) -> Arc<Settings> {
        self.configs.get(resource).cloned().unwrap_or_default()
    }

    /// All resources that have settings of their own.
    pub fn resources(&self) -> impl Iterator<Item = &Resource> {
        self.configs.keys()
    }

    /// Finalized features and their levels, by name.
    pub fn features(&self) -> impl Iterator<Item = (&Str, i16)> {
        self.features.iter().map(|(name, &level)| (name, level))
    }

    /// The first producer id that nobody was given yet.
    #[must_use]
    pub const fn next_producer_id(&self) -> i64 {
        self.next_producer_id
    }

    /// What happened to topics since `before`.
    pub fn topic_changes<'a>(&'a self, before: &'a Self) -> impl Iterator<Item = TopicChange<'a>> {
        before.topics.diff(&self.topics).map(|item| match item {
            DiffItem::Add(_, after) => TopicChange::Created(after),
            DiffItem::Update { old: (_, before), new: (_, after) } => {
                TopicChange::Changed { before, after }
            }
            DiffItem::Remove(_, before) => TopicChange::Deleted(before),
        })
    }

    /// The resources whose settings differ from those in `before`.
    pub fn settings_changes<'a>(&'a self, before: &'a Self) -> impl Iterator<Item = &'a Resource> {
        before.configs.diff(&self.configs).map(|item| match item {
            DiffItem::Add(resource, _)
            | DiffItem::Update { new: (resource, _), .. }
            | DiffItem::Remove(resource, _) => resource,
        })
    }

    /// Takes in the record at `offset`.
    ///
    /// # Errors
    /// The record contradicts what is here; the image is then unchanged.
    pub fn apply(&mut self, record: &MetadataRecord, offset: i64) -> Result<(), Inconsistent> {
        let wrong = |what| Inconsistent { offset, what };
        match record {
            MetadataRecord::RegisterBroker(record) => self.register(record),
            MetadataRecord::BrokerRegistrationChange(record) => {
                self.change_broker(record).map_err(wrong)?
            }
            MetadataRecord::Topic(record) => self.create_topic(record).map_err(wrong)?,
            MetadataRecord::RemoveTopic(record) => {
                let topic = self.topics.remove(&record.topic_id);
                let topic = topic.ok_or_else(|| wrong("removes a topic that does not exist"))?;
                self.ids.remove(&topic.name);
                if let Some(unified) = unify(&topic.name) {
                    self.lookalikes.remove(&unified);
                }
                self.configs.remove(&Resource::topic(&topic.name));
            }
            MetadataRecord::Partition(record) => self.put_partition(record).map_err(wrong)?,
            MetadataRecord::PartitionChange(record) => {
                self.change_partition(record).map_err(wrong)?;
            }
            MetadataRecord::Config(record) => self.set_config(record).map_err(wrong)?,
            MetadataRecord::FeatureLevel(record) => {
                if record.feature_level == 0 {
                    self.features.remove(&record.name);
                } else {
                    self.features.insert(record.name.detached(), record.feature_level);
                }
            }
            MetadataRecord::ProducerIds(record) => {
                if record.next_producer_id < self.next_producer_id {
                    return Err(wrong("gives producer ids out twice"));
                }
                self.next_producer_id = record.next_producer_id;
            }
            MetadataRecord::NoOp(_) => {}
            _ => return Err(wrong("is of a kind that this release does not use")),
        }
        self.end = offset + 1;
        Ok(())
    }

    /// The same state, said to be that at `end`: a snapshot's records have offsets of their own.
    pub(super) fn ending_at(self, end: i64) -> Self {
        Self { end, ..self }
    }

    fn register(&mut self, record: &RegisterBrokerRecord) {
        let endpoints = record.end_points.iter().map(|endpoint| Endpoint {
            listener: endpoint.name.detached(),
            host: endpoint.host.detached(),
            port: endpoint.port,
        });
        let broker = Broker {
            id: record.broker_id,
            epoch: record.broker_epoch,
            incarnation: record.incarnation_id,
            endpoints: endpoints.collect(),
            rack: record.rack.as_ref().map(Str::detached),
            fenced: record.fenced,
            directories: record.log_dirs.clone(),
        };
        self.brokers.insert(broker.id, Arc::new(broker));
    }

    fn change_broker(
        &mut self,
        record: &BrokerRegistrationChangeRecord,
    ) -> Result<(), &'static str> {
        let broker = self.brokers.get_mut(&record.broker_id).ok_or("changes an unknown broker")?;
        if broker.epoch != record.broker_epoch {
            return Err("changes a broker of another epoch");
        }
        let broker = Arc::make_mut(broker);
        match record.fenced {
            1 => broker.fenced = true,
            -1 => broker.fenced = false,
            _ => {}
        }
        if !record.log_dirs.is_empty() {
            broker.directories.clone_from(&record.log_dirs);
        }
        Ok(())
    }

    fn create_topic(&mut self, record: &TopicRecord) -> Result<(), &'static str> {
        if self.ids.contains_key(&record.name) || self.topics.contains_key(&record.topic_id) {
            return Err("creates a topic that exists");
        }
        let (id, name) = (record.topic_id, record.name.detached());
        self.ids.insert(name.clone(), id);
        if let Some(unified) = unify(&name) {
            self.lookalikes.insert(unified, id);
        }
        self.topics.insert(id, Arc::new(Topic { id, name, partitions: Vector::new() }));
        Ok(())
    }

    fn put_partition(&mut self, record: &PartitionRecord) -> Result<(), &'static str> {
        let topic = self.topics.get_mut(&record.topic_id).ok_or("is for an unknown topic")?;
        let partition = Partition {
            replicas: record.replicas.clone(),
            directories: record.directories.clone(),
            isr: record.isr.clone(),
            leader: record.leader,
            leader_epoch: LeaderEpoch(record.leader_epoch),
            partition_epoch: record.partition_epoch,
        };
        let count = topic.partitions.len();
        match usize::try_from(record.partition_id) {
            Ok(at) if at < count => {
                Arc::make_mut(topic).partitions.set(at, partition);
            }
            Ok(at) if at == count => Arc::make_mut(topic).partitions.push_back(partition),
            _ => return Err("leaves a gap between partitions"),
        }
        Ok(())
    }

    fn change_partition(&mut self, record: &PartitionChangeRecord) -> Result<(), &'static str> {
        let topic = self.topics.get_mut(&record.topic_id).ok_or("is for an unknown topic")?;
        let at = usize::try_from(record.partition_id).map_err(|_| "is for no partition")?;
        if at >= topic.partitions.len() {
            return Err("is for an unknown partition");
        }
        let partition = Arc::make_mut(topic).partitions.get_mut(at).ok_or("is for no partition")?;
        let next = |epoch: i32| epoch.checked_add(1).ok_or("follows the last epoch there is");
        let partition_epoch = next(partition.partition_epoch)?;
        if let Some(replicas) = &record.replicas {
            partition.replicas.clone_from(replicas);
        }
        if let Some(directories) = &record.directories {
            partition.directories.clone_from(directories);
        }
        if let Some(isr) = &record.isr {
            partition.isr.clone_from(isr);
        }
        // -2 leaves the leader and its epoch alone; any other value is a new reign, even of the
        // same broker.
        if record.leader != -2 {
            partition.leader = record.leader;
            partition.leader_epoch = LeaderEpoch(next(partition.leader_epoch.0)?);
        }
        partition.partition_epoch = partition_epoch;
        Ok(())
    }

    fn set_config(&mut self, record: &ConfigRecord) -> Result<(), &'static str> {
        let kind = ResourceKind::from_number(record.resource_type)
            .ok_or("configures an unknown kind of resource")?;
        let resource = Resource { kind, name: record.resource_name.detached() };
        let mut settings = self.settings(&resource);
        let changed = Arc::make_mut(&mut settings);
        match &record.value {
            Some(value) => {
                changed.insert(record.name.as_str().to_owned(), value.as_str().to_owned());
            }
            None => {
                changed.remove(record.name.as_str());
            }
        }
        if settings.is_empty() {
            self.configs.remove(&resource);
        } else {
            self.configs.insert(resource, settings);
        }
        Ok(())
    }
}

impl Partition {
    /// Whether broker `id` is to lead this partition.
    #[must_use]
    pub const fn is_led_by(&self, id: i32) -> bool {
        self.leader == id
    }
}

/// `name` with its dots as underscores; `None` if it has neither.
#[must_use]
pub fn unify(name: &str) -> Option<String> {
    name.contains(['.', '_']).then(|| name.replace('.', "_"))
}

/// A record that cannot follow what came before it: the log is damaged, or not ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Inconsistent {
    pub offset: i64,
    pub what: &'static str,
}

impl fmt::Display for Inconsistent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the metadata record at offset {} {}", self.offset, self.what)
    }
}

impl std::error::Error for Inconsistent {}

#[cfg(test)]
mod tests {
    use milena_protocol::state::metadata::{ProducerIdsRecord, RemoveTopicRecord};

    use super::*;

    const ID: Uuid = Uuid([7; 16]);

    fn topic(name: &str, id: Uuid) -> MetadataRecord {
        TopicRecord { name: Str::from(name), topic_id: id }.into()
    }

    fn partition(id: Uuid, partition_id: i32) -> MetadataRecord {
        PartitionRecord {
            partition_id,
            topic_id: id,
            replicas: vec![1],
            isr: vec![1],
            leader: 1,
            leader_epoch: 0,
            partition_epoch: 0,
            ..PartitionRecord::default()
        }
        .into()
    }

    fn config(name: &str, value: Option<&str>) -> MetadataRecord {
        ConfigRecord {
            resource_type: 2,
            resource_name: Str::from_static("a"),
            name: Str::from(name),
            value: value.map(Str::from),
        }
        .into()
    }

    fn image(records: &[MetadataRecord]) -> Image {
        let mut image = Image::default();
        for (offset, record) in (0..).zip(records) {
            image.apply(record, offset).unwrap();
        }
        image
    }

    #[test]
    fn a_topic_is_found_by_name_and_by_id() {
        let image = image(&[topic("a", ID), partition(ID, 0), partition(ID, 1)]);
        let found = image.topic("a").unwrap();
        assert_eq!((found.id, found.partitions.len()), (ID, 2));
        assert_eq!(image.topic_by_id(ID), Some(found));
        assert_eq!(image.end(), 3);
    }

    #[test]
    fn a_deleted_topic_leaves_nothing_behind() {
        let deleted = image(&[
            topic("a", ID),
            partition(ID, 0),
            config("retention.ms", Some("1")),
            RemoveTopicRecord { topic_id: ID }.into(),
        ]);
        assert_eq!(deleted, Image { end: 4, ..Image::default() });
    }

    #[test]
    fn a_new_reign_has_a_new_epoch_even_of_the_same_leader() {
        let change = PartitionChangeRecord {
            partition_id: 0,
            topic_id: ID,
            leader: 1,
            ..PartitionChangeRecord::default()
        };
        let image = image(&[topic("a", ID), partition(ID, 0), change.into()]);
        let changed = image.topic("a").unwrap().partitions.get(0).unwrap();
        assert_eq!((changed.leader, changed.leader_epoch), (1, LeaderEpoch(1)));
        assert_eq!(changed.partition_epoch, 1);
    }

    #[test]
    fn a_lookalike_is_found_until_it_is_deleted() {
        let mut image = image(&[topic("a.b", ID)]);
        for name in ["a.b", "a_b"] {
            assert_eq!(image.lookalike(name).map(|topic| topic.id), Some(ID));
        }
        assert_eq!(image.lookalike("ab"), None);
        image.apply(&RemoveTopicRecord { topic_id: ID }.into(), 1).unwrap();
        assert_eq!(image.lookalike("a_b"), None);
    }

    #[test]
    fn a_setting_is_replaced_and_removed() {
        let mut image = image(&[topic("a", ID), config("x", Some("1")), config("y", Some("2"))]);
        image.apply(&config("x", Some("3")), 3).unwrap();
        image.apply(&config("y", None), 4).unwrap();
        let expected = Settings::from([("x".to_owned(), "3".to_owned())]);
        assert_eq!(*image.settings(&Resource::topic("a")), expected);
        image.apply(&config("x", None), 5).unwrap();
        assert_eq!(image.resources().count(), 0);
    }

    #[test]
    fn contradictions_leave_the_image_as_it_was() {
        let before = image(&[
            topic("a", ID),
            partition(ID, 0),
            ProducerIdsRecord { next_producer_id: 1000, ..ProducerIdsRecord::default() }.into(),
        ]);
        let stranger = Uuid([9; 16]);
        for record in [
            topic("a", stranger),
            topic("b", ID),
            partition(ID, 2),
            partition(ID, -1),
            partition(stranger, 0),
            RemoveTopicRecord { topic_id: stranger }.into(),
            PartitionChangeRecord { partition_id: 1, topic_id: ID, ..Default::default() }.into(),
            ProducerIdsRecord { next_producer_id: 999, ..ProducerIdsRecord::default() }.into(),
        ] {
            let mut after = before.clone();
            assert!(after.apply(&record, 3).is_err(), "{record:?}");
            assert_eq!(after, before);
        }
    }

    #[test]
    fn changes_between_images_are_found() {
        let before = image(&[topic("a", ID), partition(ID, 0)]);
        let other = Uuid([9; 16]);
        let mut after = before.clone();
        for (offset, record) in
            (2..).zip([partition(ID, 1), topic("b", other), config("x", Some("1"))])
        {
            after.apply(&record, offset).unwrap();
        }
        let shown = |a: &Image, b: &Image| -> Vec<String> {
            a.topic_changes(b)
                .map(|change| match change {
                    TopicChange::Created(topic) => format!("+{}", topic.name),
                    TopicChange::Changed { after, .. } => format!("~{}", after.name),
                    TopicChange::Deleted(topic) => format!("-{}", topic.name),
                })
                .collect()
        };
        assert_eq!(shown(&after, &before), ["~a", "+b"]);
        assert_eq!(shown(&before, &after), ["~a", "-b"]);
        let changed: Vec<_> = after.settings_changes(&before).collect();
        assert_eq!(changed, [&Resource::topic("a")]);
    }

    #[test]
    fn topics_are_listed_by_name_from_any_name_on() {
        let image = image(&[topic("b", Uuid([1; 16])), topic("a", Uuid([2; 16]))]);
        let names = |from| -> Vec<_> { image.topics_from(from).map(|t| t.name.clone()).collect() };
        assert_eq!(names(""), ["a", "b"]);
        assert_eq!(names("aa"), ["b"]);
        assert_eq!(image.topics().count(), 2);
    }
}
