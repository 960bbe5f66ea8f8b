//! Creating, growing and deleting topics.

use std::collections::{BTreeMap, BTreeSet};

use milena_protocol::{
    Uuid,
    messages::topics::{
        create_partitions::CreatePartitionsTopic, create_topics::CreatableTopic,
        delete_topics::DeleteTopicState,
    },
    state::metadata::{ConfigRecord, PartitionRecord, RemoveTopicRecord, TopicRecord},
    wire::Str,
};

use super::{Refusal, View, name};
use crate::{
    config::{Settings, TopicConfig, table},
    metadata::{MetadataRecord, ResourceKind, Topic, unify},
};

/// A topic that was created, or could be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Created {
    pub id: Uuid,
    pub partitions: usize,
    pub replication_factor: usize,
    /// What was set for it.
    pub settings: Settings,
}

/// One result for each of `topics`, in their order. With `validate_only` there are no records.
pub(super) fn create(
    view: &View<'_>,
    topics: &[CreatableTopic],
    validate_only: bool,
) -> (Vec<MetadataRecord>, Vec<Result<Created, Refusal>>) {
    let twice = named_twice(topics.iter().map(|topic| &topic.name));
    let mut records = Vec::new();
    let mut results = Vec::with_capacity(topics.len());
    let mut taken = BTreeMap::new();
    let mut room = PARTITIONS_PER_REQUEST_MAX;
    for topic in topics {
        let planned = if twice.contains(&topic.name) {
            Err(Refusal::Twice("topic"))
        } else {
            check_new_name(view, &topic.name, &taken).and_then(|()| plan(view, topic, room))
        };
        results.push(planned.map(|plan| {
            if let Some(unified) = unify(&topic.name) {
                taken.insert(unified, topic.name.clone());
            }
            room -= i32::try_from(plan.partitions.len()).unwrap_or(room);
            plan.write(view, &topic.name, &mut records)
        }));
    }
    if validate_only {
        records.clear();
    }
    (records, results)
}

/// What became of one topic that was to be deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deleted {
    pub name: Option<Str>,
    pub id: Uuid,
    pub outcome: Result<(), Refusal>,
}

/// One result for each of `targets`, in their order.
pub(super) fn delete(
    view: &View<'_>,
    targets: &[DeleteTopicState],
) -> (Vec<MetadataRecord>, Vec<Deleted>) {
    let found: Vec<_> = targets.iter().map(|target| resolve(view, target)).collect();
    let mut seen = BTreeSet::new();
    let twice: BTreeSet<Uuid> =
        found.iter().flatten().map(|topic| topic.id).filter(|&id| !seen.insert(id)).collect();
    let mut records = Vec::new();
    let results = targets
        .iter()
        .zip(found)
        .map(|(target, found)| {
            let failed = |refusal| Deleted {
                name: target.name.clone(),
                id: target.topic_id,
                outcome: Err(refusal),
            };
            match found {
                Err(refusal) => failed(refusal),
                Ok(topic) if twice.contains(&topic.id) => failed(Refusal::Twice("topic")),
                Ok(topic) => {
                    records.push(RemoveTopicRecord { topic_id: topic.id }.into());
                    Deleted { name: Some(topic.name.clone()), id: topic.id, outcome: Ok(()) }
                }
            }
        })
        .collect();
    (records, results)
}

/// One result for each of `topics`, in their order. With `validate_only` there are no records.
pub(super) fn create_partitions(
    view: &View<'_>,
    topics: &[CreatePartitionsTopic],
    validate_only: bool,
) -> (Vec<MetadataRecord>, Vec<Result<(), Refusal>>) {
    let twice = named_twice(topics.iter().map(|topic| &topic.name));
    let mut records = Vec::new();
    let mut room = PARTITIONS_PER_REQUEST_MAX;
    let results = topics
        .iter()
        .map(|topic| {
            if twice.contains(&topic.name) {
                return Err(Refusal::Twice("topic"));
            }
            let existing = view.image.topic(&topic.name).ok_or(Refusal::UnknownTopic)?;
            let added = grow(view, existing, topic, room)?;
            room -= i32::try_from(added.len()).unwrap_or(room);
            let first = existing.partitions.len();
            records.extend(
                added
                    .into_iter()
                    .zip(first..)
                    .map(|(replicas, index)| partition(view, existing.id, index, replicas)),
            );
            Ok(())
        })
        .collect();
    if validate_only {
        records.clear();
    }
    (records, results)
}

/// A new topic that nothing stands against.
struct Plan {
    /// The replicas of each partition.
    partitions: Vec<Vec<i32>>,
    settings: Settings,
}

impl Plan {
    fn write(self, view: &View<'_>, name: &str, records: &mut Vec<MetadataRecord>) -> Created {
        let id = view.rng.uuid();
        let created = Created {
            id,
            partitions: self.partitions.len(),
            replication_factor: self.partitions.first().map_or(0, Vec::len),
            settings: self.settings,
        };
        records.push(TopicRecord { name: Str::from(name), topic_id: id }.into());
        records.extend(created.settings.iter().map(|(key, value)| {
            MetadataRecord::from(ConfigRecord {
                resource_type: ResourceKind::Topic.number(),
                resource_name: Str::from(name),
                name: Str::from(key),
                value: Some(Str::from(value)),
            })
        }));
        let partitions = self.partitions.into_iter().enumerate();
        records.extend(partitions.map(|(index, replicas)| partition(view, id, index, replicas)));
        created
    }
}

fn check_new_name(
    view: &View<'_>,
    name: &Str,
    taken: &BTreeMap<String, Str>,
) -> Result<(), Refusal> {
    name::check(name)?;
    if name == name::CLUSTER_METADATA {
        return Err(Refusal::Reserved(name.to_string()));
    }
    if view.image.topic(name).is_some() {
        return Err(Refusal::TopicExists(name.to_string()));
    }
    let other = view.image.lookalike(name).map(|topic| &topic.name);
    match other.or_else(|| taken.get(&unify(name)?)) {
        Some(other) => Err(Refusal::Lookalike { name: name.to_string(), other: other.to_string() }),
        None => Ok(()),
    }
}

fn plan(view: &View<'_>, topic: &CreatableTopic, room: i32) -> Result<Plan, Refusal> {
    let settings = check_settings(topic)?;
    let partitions = if topic.assignments.is_empty() {
        let factor = match topic.replication_factor {
            -1 => view.config.default_replication_factor,
            factor => i32::from(factor),
        };
        let replication_factor = check_factor(view, factor)?;
        let count = match topic.num_partitions {
            -1 => view.config.num_partitions,
            count => count,
        };
        place(view, 0, check_count(count, room)?, replication_factor)
    } else {
        if topic.num_partitions != -1 || topic.replication_factor != -1 {
            return Err(Refusal::AssignmentAndCounts);
        }
        check_count(i32::try_from(topic.assignments.len()).unwrap_or(i32::MAX), room)?;
        assigned(view, topic)?
    };
    Ok(Plan { partitions, settings })
}

fn check_settings(topic: &CreatableTopic) -> Result<Settings, Refusal> {
    let mut settings = Settings::new();
    for config in &topic.configs {
        let name = config.name.as_str();
        let key =
            table().topic(name).ok_or_else(|| Refusal::UnknownSetting { key: name.to_owned() })?;
        let Some(value) = &config.value else {
            return Err(Refusal::NullSetting { key: name.to_owned() });
        };
        TopicConfig::check(key, value)?;
        settings.insert(name.to_owned(), value.as_str().to_owned());
    }
    Ok(settings)
}

fn check_factor(view: &View<'_>, factor: i32) -> Result<usize, Refusal> {
    let brokers = view.active().len();
    match usize::try_from(factor) {
        Ok(factor) if (1..=brokers).contains(&factor) => Ok(factor),
        _ => Err(Refusal::ReplicationFactor { asked: factor, brokers }),
    }
}

fn check_count(count: i32, room: i32) -> Result<usize, Refusal> {
    if count > PARTITIONS_PER_REQUEST_MAX {
        return Err(Refusal::TooManyPartitions { asked: count, max: PARTITIONS_PER_REQUEST_MAX });
    }
    if count > room {
        return Err(Refusal::TooMuchAtOnce { max: PARTITIONS_PER_REQUEST_MAX });
    }
    match usize::try_from(count) {
        Ok(count) if count > 0 => Ok(count),
        _ => Err(Refusal::NoPartitions { asked: count }),
    }
}

/// Replicas for `count` partitions from number `first` on, in turn over the brokers that are up.
fn place(view: &View<'_>, first: usize, count: usize, factor: usize) -> Vec<Vec<i32>> {
    let brokers = view.active();
    let turn = |index: usize| brokers.iter().copied().cycle().skip(index % brokers.len().max(1));
    (first..first + count).map(|index| turn(index).take(factor).collect()).collect()
}

fn assigned(view: &View<'_>, topic: &CreatableTopic) -> Result<Vec<Vec<i32>>, Refusal> {
    let mut by_index = BTreeMap::new();
    for assignment in &topic.assignments {
        check_replicas(view, &assignment.broker_ids)?;
        if by_index.insert(assignment.partition_index, assignment.broker_ids.clone()).is_some() {
            let why = format!("partition {} is assigned twice", assignment.partition_index);
            return Err(Refusal::BadAssignment(why));
        }
    }
    if by_index.keys().copied().ne((0..).take(by_index.len())) {
        let why = "assigned partitions must be numbered from 0 on, without a gap".to_owned();
        return Err(Refusal::BadAssignment(why));
    }
    let partitions: Vec<_> = by_index.into_values().collect();
    let factor = partitions.first().map_or(0, Vec::len);
    if partitions.iter().any(|replicas| replicas.len() != factor) {
        let why = "all partitions must have the same number of replicas".to_owned();
        return Err(Refusal::BadAssignment(why));
    }
    Ok(partitions)
}

/// Whether a partition can live on these brokers.
pub(super) fn check_replicas(view: &View<'_>, replicas: &[i32]) -> Result<(), Refusal> {
    if replicas.is_empty() {
        return Err(Refusal::BadAssignment("a partition needs at least one replica".to_owned()));
    }
    let active = view.active();
    let mut seen = BTreeSet::new();
    for replica in replicas {
        if !active.contains(replica) {
            return Err(Refusal::BadAssignment(format!("broker {replica} is not there")));
        }
        if !seen.insert(replica) {
            let why = format!("broker {replica} cannot hold two replicas of a partition");
            return Err(Refusal::BadAssignment(why));
        }
    }
    Ok(())
}

fn grow(
    view: &View<'_>,
    existing: &Topic,
    topic: &CreatePartitionsTopic,
    room: i32,
) -> Result<Vec<Vec<i32>>, Refusal> {
    let now = existing.partitions.len();
    let added = topic.count.saturating_sub(i32::try_from(now).unwrap_or(i32::MAX));
    if added <= 0 {
        return Err(Refusal::NotMorePartitions { now, asked: topic.count });
    }
    let added = check_count(added, room)?;
    let factor = existing.partitions.front().map_or(1, |partition| partition.replicas.len());
    let Some(assignments) = &topic.assignments else {
        return Ok(place(view, now, added, factor));
    };
    if assignments.len() != added {
        let why = format!("{added} new partitions, but {} assignments", assignments.len());
        return Err(Refusal::BadAssignment(why));
    }
    for assignment in assignments {
        check_replicas(view, &assignment.broker_ids)?;
        if assignment.broker_ids.len() != factor {
            let why = format!("the topic's partitions have {factor} replicas each");
            return Err(Refusal::BadAssignment(why));
        }
    }
    Ok(assignments.iter().map(|assignment| assignment.broker_ids.clone()).collect())
}

fn partition(view: &View<'_>, topic_id: Uuid, index: usize, replicas: Vec<i32>) -> MetadataRecord {
    PartitionRecord {
        partition_id: i32::try_from(index).unwrap_or(i32::MAX),
        topic_id,
        directories: replicas.iter().map(|&broker| view.directory_of(broker)).collect(),
        isr: replicas.clone(),
        leader: replicas.first().copied().unwrap_or(-1),
        replicas,
        leader_epoch: 0,
        partition_epoch: 0,
        ..PartitionRecord::default()
    }
    .into()
}

fn resolve<'a>(view: &View<'a>, target: &DeleteTopicState) -> Result<&'a Topic, Refusal> {
    if !view.config.delete_topics {
        return Err(Refusal::DeletionDisabled);
    }
    match (&target.name, target.topic_id.is_zero()) {
        (Some(name), true) => {
            view.image.topic(name).map(AsRef::as_ref).ok_or(Refusal::UnknownTopic)
        }
        (None, false) => view
            .image
            .topic_by_id(target.topic_id)
            .map(AsRef::as_ref)
            .ok_or(Refusal::UnknownTopicId(target.topic_id)),
        _ => Err(Refusal::NameOrId),
    }
}

fn named_twice<'a>(names: impl Iterator<Item = &'a Str>) -> BTreeSet<&'a Str> {
    let mut seen = BTreeSet::new();
    names.filter(|name| !seen.insert(*name)).collect()
}

/// Partitions that one request may create: what fits one batch of the metadata log with ease.
pub const PARTITIONS_PER_REQUEST_MAX: i32 = 10_000;
