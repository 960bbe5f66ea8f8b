//! Decisions by table: an image, a request, and what comes out.

use milena_protocol::{
    LeaderEpoch, Timestamp,
    messages::topics::{
        create_partitions::CreatePartitionsAssignment,
        create_topics::{CreatableReplicaAssignment, CreatableTopicConfig},
    },
};

use super::*;
use crate::{
    clock::{ManualClock, SeededRng},
    config::{Settings, parse_properties},
    metadata::{Resource, ResourceKind, Status},
};

/// A cluster of one broker, to which decisions are put.
#[derive(Debug)]
struct World {
    image: Image,
    config: BrokerConfig,
    rng: SeededRng,
    node: Node,
}

impl World {
    fn new() -> Self {
        Self::with("")
    }

    fn with(properties: &str) -> Self {
        let settings = parse_properties(properties).unwrap();
        let mut world = Self {
            image: Image::default(),
            config: BrokerConfig::from_settings(settings).unwrap(),
            rng: SeededRng::new(7),
            node: Node { id: 1, directories: vec![Uuid([5; 16]), Uuid([6; 16])] },
        };
        let records = start::records(&world.view());
        world.apply(&records);
        world
    }

    fn view(&self) -> View<'_> {
        View { image: &self.image, config: &self.config, node: &self.node, rng: &self.rng }
    }

    fn apply(&mut self, records: &[MetadataRecord]) {
        for record in records {
            self.image.apply(record, self.image.end()).unwrap();
        }
    }

    fn create(&mut self, topics: &[CreatableTopic]) -> Vec<Result<Created, Refusal>> {
        let (records, results) = topics::create(&self.view(), topics, false);
        self.apply(&records);
        results
    }

    fn refusal(&self, topic: CreatableTopic) -> Refusal {
        let (records, results) = topics::create(&self.view(), &[topic], false);
        assert_eq!(records, []);
        results.into_iter().next().unwrap().unwrap_err()
    }

    fn alter(&mut self, alterations: &[Alteration]) -> Vec<Result<(), Refusal>> {
        let (records, results) = configs::alter(&self.view(), alterations, false);
        self.apply(&records);
        results
    }
}

fn topic(name: &str) -> CreatableTopic {
    CreatableTopic {
        name: Str::from(name),
        num_partitions: -1,
        replication_factor: -1,
        ..CreatableTopic::default()
    }
}

fn with_config(name: &'static str, value: Option<&'static str>) -> CreatableTopic {
    let config =
        CreatableTopicConfig { name: Str::from_static(name), value: value.map(Str::from_static) };
    CreatableTopic { configs: vec![config], ..topic("a") }
}

fn assigned(replicas: &[(i32, &[i32])]) -> CreatableTopic {
    let assignments = replicas.iter().map(|&(partition_index, brokers)| {
        CreatableReplicaAssignment { partition_index, broker_ids: brokers.to_vec() }
    });
    CreatableTopic { assignments: assignments.collect(), ..topic("a") }
}

fn edit(key: &str, operation: i8, value: Option<&str>) -> Edit {
    Edit { key: Str::from(key), operation, value: value.map(Str::from) }
}

fn on(kind: ResourceKind, name: &str, edits: Vec<Edit>) -> Alteration {
    Alteration {
        resource_type: kind.number(),
        resource_name: Str::from(name),
        change: Change::Edit(edits),
    }
}

fn on_topic(edits: Vec<Edit>) -> Alteration {
    on(ResourceKind::Topic, "a", edits)
}

#[test]
fn a_topic_takes_the_brokers_defaults() {
    let mut world = World::with("num.partitions=3");
    let created = world.create(&[topic("a")]).remove(0).unwrap();
    assert_eq!((created.partitions, created.replication_factor), (3, 1));
    let topic = world.image.topic("a").unwrap();
    assert_eq!(topic.id, created.id);
    let partition = topic.partitions.get(2).unwrap();
    assert_eq!(
        (&partition.replicas[..], &partition.isr[..], partition.leader),
        (&[1][..], &[1][..], 1)
    );
    assert_eq!(partition.directories, [Uuid([5; 16])]);
    assert_eq!(partition.leader_epoch, LeaderEpoch(0));
}

#[test]
fn a_topic_keeps_what_was_set_for_it() {
    let mut world = World::new();
    world.create(&[with_config("retention.ms", Some("5"))]).remove(0).unwrap();
    let expected = Settings::from([("retention.ms".to_owned(), "5".to_owned())]);
    assert_eq!(*world.image.settings(&Resource::topic("a")), expected);
}

#[test]
fn what_cannot_be_created_is_refused_with_its_reason() {
    let mut world = World::new();
    world.create(&[topic("there"), topic("a.b")]);
    let count = |num_partitions| CreatableTopic { num_partitions, ..topic("a") };
    let factor = |replication_factor| CreatableTopic { replication_factor, ..topic("a") };
    let cases = [
        (topic(""), Refusal::BadName(BadName::Empty)),
        (topic("../x"), Refusal::BadName(BadName::Illegal('/'))),
        (topic("__cluster_metadata"), Refusal::Reserved("__cluster_metadata".to_owned())),
        (topic("there"), Refusal::TopicExists("there".to_owned())),
        (topic("a_b"), Refusal::Lookalike { name: "a_b".to_owned(), other: "a.b".to_owned() }),
        (count(0), Refusal::NoPartitions { asked: 0 }),
        (count(-2), Refusal::NoPartitions { asked: -2 }),
        (count(i32::MAX), Refusal::TooManyPartitions { asked: i32::MAX, max: 10_000 }),
        (factor(0), Refusal::ReplicationFactor { asked: 0, brokers: 1 }),
        (factor(-2), Refusal::ReplicationFactor { asked: -2, brokers: 1 }),
        (factor(2), Refusal::ReplicationFactor { asked: 2, brokers: 1 }),
        (
            with_config("retention.ms", None),
            Refusal::NullSetting { key: "retention.ms".to_owned() },
        ),
        (with_config("no.such", Some("1")), Refusal::UnknownSetting { key: "no.such".to_owned() }),
        (
            CreatableTopic { num_partitions: 1, ..assigned(&[(0, &[1])]) },
            Refusal::AssignmentAndCounts,
        ),
    ];
    for (topic, refusal) in cases {
        assert_eq!(world.refusal(topic), refusal);
    }
    for (name, value) in [("cleanup.policy", "shred"), ("segment.bytes", "-1")] {
        let refusal = world.refusal(with_config(name, Some(value)));
        assert!(matches!(refusal, Refusal::WrongSetting(_)), "{name}={value}: {refusal}");
    }
}

#[test]
fn an_assignment_must_be_whole_and_on_brokers_that_are_there() {
    let mut world = World::new();
    let created = world.create(&[assigned(&[(1, &[1]), (0, &[1])])]).remove(0).unwrap();
    assert_eq!((created.partitions, created.replication_factor), (2, 1));
    let world = World::new();
    for bad in [
        &[(0, &[][..])][..],
        &[(0, &[2])],
        &[(0, &[1, 1])],
        &[(1, &[1])],
        &[(-1, &[1])],
        &[(0, &[1]), (0, &[1])],
    ] {
        let refusal = world.refusal(assigned(bad));
        assert!(matches!(refusal, Refusal::BadAssignment(_)), "{bad:?}: {refusal}");
    }
}

#[test]
fn one_bad_topic_does_not_keep_the_others() {
    let mut world = World::new();
    let results = world.create(&[topic("a"), topic(""), topic("b"), topic("c"), topic("c")]);
    let codes: Vec<_> = results.iter().map(Result::is_ok).collect();
    assert_eq!(codes, [true, false, true, false, false]);
    assert_eq!(results[3], Err(Refusal::Twice("topic")));
    assert_eq!(world.image.topics().count(), 2);
}

#[test]
fn lookalikes_within_one_request_are_found() {
    let mut world = World::new();
    let results = world.create(&[topic("x.y"), topic("x_y")]);
    assert!(results[0].is_ok());
    assert!(matches!(results[1], Err(Refusal::Lookalike { .. })));
}

#[test]
fn a_request_creates_a_bounded_number_of_partitions() {
    let mut world = World::new();
    let large = |name| CreatableTopic { num_partitions: 6_000, ..topic(name) };
    let results = world.create(&[large("a"), large("b"), topic("c")]);
    assert!(results[0].is_ok() && results[2].is_ok());
    assert_eq!(results[1], Err(Refusal::TooMuchAtOnce { max: 10_000 }));
}

#[test]
fn validating_changes_nothing() {
    let world = World::new();
    let (records, results) = topics::create(&world.view(), &[topic("a")], true);
    assert_eq!(records, []);
    assert!(results[0].is_ok());
}

#[test]
fn topics_are_deleted_by_name_or_by_id() {
    let mut world = World::new();
    let ids: Vec<Uuid> =
        ["a", "b", "c"].map(|name| world.create(&[topic(name)]).remove(0).unwrap().id).to_vec();
    let target =
        |name: Option<&str>, topic_id| DeleteTopicState { name: name.map(Str::from), topic_id };
    let stranger = Uuid([9; 16]);
    let targets = [
        target(Some("a"), Uuid::ZERO),
        target(None, ids[1]),
        target(Some("x"), Uuid::ZERO),
        target(None, stranger),
        target(None, Uuid::ZERO),
        target(Some("c"), ids[2]),
    ];
    let (records, deleted) = topics::delete(&world.view(), &targets);
    let outcomes: Vec<_> = deleted.iter().map(|one| one.outcome.clone()).collect();
    assert_eq!(
        outcomes,
        [
            Ok(()),
            Ok(()),
            Err(Refusal::UnknownTopic),
            Err(Refusal::UnknownTopicId(stranger)),
            Err(Refusal::NameOrId),
            Err(Refusal::NameOrId),
        ]
    );
    assert_eq!((deleted[1].name.as_deref(), deleted[1].id), (Some("b"), ids[1]));
    world.apply(&records);
    assert_eq!(world.image.topics().map(|topic| &topic.name).collect::<Vec<_>>(), ["c"]);
}

#[test]
fn a_topic_named_twice_is_not_deleted() {
    let mut world = World::new();
    let id = world.create(&[topic("a")]).remove(0).unwrap().id;
    let targets = [
        DeleteTopicState { name: Some(Str::from_static("a")), topic_id: Uuid::ZERO },
        DeleteTopicState { name: None, topic_id: id },
    ];
    let (records, deleted) = topics::delete(&world.view(), &targets);
    assert_eq!(records, []);
    assert!(deleted.iter().all(|one| one.outcome == Err(Refusal::Twice("topic"))));
}

#[test]
fn deletion_can_be_switched_off() {
    let mut world = World::with("delete.topic.enable=false");
    world.create(&[topic("a")]);
    let target = DeleteTopicState { name: Some(Str::from_static("a")), topic_id: Uuid::ZERO };
    let (_, deleted) = topics::delete(&world.view(), &[target]);
    assert_eq!(deleted[0].outcome, Err(Refusal::DeletionDisabled));
}

#[test]
fn a_topic_grows_but_does_not_shrink() {
    let mut world = World::new();
    world.create(&[CreatableTopic { num_partitions: 2, ..topic("a") }]);
    let grow = |name: &str, count, assignments: Option<Vec<Vec<i32>>>| CreatePartitionsTopic {
        name: Str::from(name),
        count,
        assignments: assignments.map(|lists| {
            lists.into_iter().map(|broker_ids| CreatePartitionsAssignment { broker_ids }).collect()
        }),
    };
    let try_one = |topic| topics::create_partitions(&world.view(), &[topic], false).1.remove(0);
    assert_eq!(try_one(grow("x", 3, None)), Err(Refusal::UnknownTopic));
    for asked in [2, 1, 0, i32::MIN] {
        let refusal = Err(Refusal::NotMorePartitions { now: 2, asked });
        assert_eq!(try_one(grow("a", asked, None)), refusal);
    }
    let too_many = try_one(grow("a", i32::MAX, None));
    assert!(matches!(too_many, Err(Refusal::TooManyPartitions { .. })));
    for lists in [vec![], vec![vec![2]], vec![vec![]], vec![vec![1], vec![1]]] {
        let refused = try_one(grow("a", 3, Some(lists)));
        assert!(matches!(refused, Err(Refusal::BadAssignment(_))));
    }
    assert_eq!(try_one(grow("a", 3, Some(vec![vec![1]]))), Ok(()));
    let (records, _) = topics::create_partitions(&world.view(), &[grow("a", 5, None)], false);
    world.apply(&records);
    assert_eq!(world.image.topic("a").unwrap().partitions.len(), 5);
}

#[test]
fn settings_are_edited_one_by_one() {
    let mut world = World::new();
    world.create(&[with_config("retention.ms", Some("5"))]);
    let edits = vec![
        edit("segment.ms", 0, Some("7")),
        edit("retention.ms", 1, None),
        edit("retention.bytes", 1, None),
    ];
    assert_eq!(world.alter(&[on_topic(edits)]), [Ok(())]);
    let expected = Settings::from([("segment.ms".to_owned(), "7".to_owned())]);
    assert_eq!(*world.image.settings(&Resource::topic("a")), expected);
}

#[test]
fn lists_are_extended_and_shortened() {
    let mut world = World::new();
    world.create(&[topic("a")]);
    let key = "leader.replication.throttled.replicas";
    let step = |world: &mut World, operation, value| {
        let outcome = world.alter(&[on_topic(vec![edit(key, operation, Some(value))])]);
        assert_eq!(outcome, [Ok(())]);
        world.image.settings(&Resource::topic("a")).get(key).cloned().unwrap_or_default()
    };
    assert_eq!(step(&mut world, 2, "0:1,1:1"), "0:1,1:1");
    assert_eq!(step(&mut world, 2, "1:1,2:1"), "0:1,1:1,2:1");
    assert_eq!(step(&mut world, 3, "0:1,9:9"), "1:1,2:1");
}

#[test]
fn a_resource_is_altered_whole_or_not_at_all() {
    let mut world = World::new();
    world.create(&[topic("a")]);
    let wrong = |edits| {
        World::alter(&mut World { image: world.image.clone(), ..World::new() }, &[on_topic(edits)])
            .remove(0)
    };
    let good = || edit("segment.ms", 0, Some("7"));
    assert!(matches!(
        wrong(vec![good(), edit("retention.ms", 0, Some("x"))]),
        Err(Refusal::WrongSetting(_))
    ));
    let cases = [
        (edit("no.such", 0, Some("1")), Refusal::UnknownSetting { key: "no.such".to_owned() }),
        (edit("retention.ms", 0, None), Refusal::NoValue { key: "retention.ms".to_owned() }),
        (edit("retention.ms", 2, Some("1")), Refusal::NotAList { key: "retention.ms".to_owned() }),
        (edit("retention.ms", 9, Some("1")), Refusal::UnknownOperation { number: 9 }),
        (good(), Refusal::Twice("configuration")),
    ];
    for (edit, refusal) in cases {
        assert_eq!(wrong(vec![good(), edit]), Err(refusal));
    }
}

#[test]
fn replacing_forgets_what_is_not_named() {
    let mut world = World::new();
    world.create(&[with_config("retention.ms", Some("5"))]);
    let replace = Alteration {
        change: Change::Replace(vec![(
            Str::from_static("segment.ms"),
            Some(Str::from_static("7")),
        )]),
        ..on_topic(Vec::new())
    };
    assert_eq!(world.alter(&[replace]), [Ok(())]);
    let expected = Settings::from([("segment.ms".to_owned(), "7".to_owned())]);
    assert_eq!(*world.image.settings(&Resource::topic("a")), expected);
}

#[test]
fn only_resources_that_are_there_are_altered() {
    let mut world = World::new();
    let broker =
        |name| on(ResourceKind::Broker, name, vec![edit("message.max.bytes", 0, Some("9"))]);
    let other = |number, name| Alteration {
        resource_type: number,
        ..on(ResourceKind::Topic, name, vec![])
    };
    let outcomes = world.alter(&[
        on(ResourceKind::Topic, "x", vec![]),
        on(ResourceKind::Topic, "a/b", vec![]),
        on(ResourceKind::Topic, "", vec![]),
        broker(""),
        broker("1"),
        broker("2"),
        broker("one"),
        other(8, "1"),
        other(99, "1"),
    ]);
    let texts: Vec<_> = outcomes.iter().map(|one| one.clone().err()).collect();
    assert_eq!(texts[0], Some(Refusal::UnknownTopic));
    assert_eq!(texts[1], Some(Refusal::BadName(BadName::Illegal('/'))));
    assert!(matches!(texts[2], Some(Refusal::BadResource(_))));
    assert_eq!((&texts[3], &texts[4]), (&None, &None));
    assert!(matches!(texts[5], Some(Refusal::BadResource(_))));
    assert!(matches!(texts[6], Some(Refusal::BadResource(_))));
    assert_eq!(texts[7], Some(Refusal::UnknownResource { number: 8 }));
    assert_eq!(texts[8], Some(Refusal::UnknownResource { number: 99 }));
    let twice = world.alter(&[broker("1"), broker("1")]);
    assert_eq!(twice, [Err(Refusal::Twice("resource")), Err(Refusal::Twice("resource"))]);
}

#[test]
fn what_a_broker_reads_at_start_is_not_altered_while_it_runs() {
    let mut world = World::new();
    let edits = vec![edit("listeners", 0, Some("PLAINTEXT://:1"))];
    let outcome = world.alter(&[on(ResourceKind::Broker, "1", edits)]).remove(0);
    assert!(matches!(outcome, Err(Refusal::WrongSetting(_))));
}

#[test]
fn features_change_all_or_none() {
    let world = World::new();
    let update = |name: &'static str, level, upgrade_type| FeatureUpdate {
        name: Str::from_static(name),
        level,
        upgrade_type,
    };
    let decide = |updates: &[FeatureUpdate]| features::update(&world.view(), updates, false);
    assert_eq!(decide(&[update("metadata.version", 25, 1)]), (vec![], Ok(())));
    let name = || "metadata.version".to_owned();
    for (wrong, refusal) in [
        (
            update("metadata.version", 26, 1),
            Refusal::FeatureLevel { name: name(), asked: 26, min: 25, max: 25 },
        ),
        (
            update("transaction.version", 1, 1),
            Refusal::FeatureDirection { name: "transaction.version".to_owned(), asked: 1, now: 2 },
        ),
        (update("metadata.version", 25, 0), Refusal::UnknownUpgrade { name: name() }),
        (update("x", 1, 1), Refusal::UnknownFeature { name: "x".to_owned() }),
        (update("metadata.version", 25, 1), Refusal::Twice("feature")),
    ] {
        let updates = [update("metadata.version", 25, 1), wrong.clone()];
        let checked =
            if matches!(refusal, Refusal::Twice(_)) { &updates[..] } else { &updates[1..] };
        assert_eq!(decide(checked), (vec![], Err(refusal)));
    }
}

#[test]
fn no_producer_id_is_handed_out_twice() {
    let mut world = World::new();
    let mut next = || {
        let (records, block) = producer_ids::next_block(&world.view());
        world.apply(&records);
        block
    };
    assert_eq!([next(), next()], [0..1000, 1000..2000]);
}

#[test]
fn each_start_is_a_new_epoch_of_the_broker_and_of_what_it_leads() {
    let mut world = World::new();
    world.create(&[CreatableTopic { num_partitions: 2, ..topic("a") }]);
    let first = world.image.broker(1).unwrap().epoch;
    let records = start::records(&world.view());
    assert_eq!(records.len(), 3, "one for the broker and one for each partition");
    world.apply(&records);
    let broker = world.image.broker(1).unwrap();
    assert!(broker.epoch > first && !broker.fenced);
    for partition in &world.image.topic("a").unwrap().partitions {
        assert_eq!((partition.leader, partition.leader_epoch), (1, LeaderEpoch(1)));
    }
}

#[test]
fn with_one_broker_there_is_nothing_to_elect_or_move() {
    let mut world = World::new();
    world.create(&[topic("a")]);
    let at = |topic: &'static str, index| (Str::from_static(topic), index);
    for election in [Election::Preferred, Election::Unclean] {
        let asked = [at("a", 0), at("a", 1), at("x", 0), at("a", -1)];
        let (records, outcomes) = leaders::elect(&world.view(), election, &asked);
        assert_eq!(records, []);
        assert_eq!(
            outcomes,
            [
                Err(Refusal::ElectionNotNeeded),
                Err(Refusal::UnknownPartition { index: 1 }),
                Err(Refusal::UnknownTopic),
                Err(Refusal::UnknownPartition { index: -1 }),
            ]
        );
    }
    let to = |replicas: Option<Vec<i32>>| Reassignment {
        topic: Str::from_static("a"),
        partition: 0,
        replicas,
    };
    let moves = [to(Some(vec![1])), to(None), to(Some(vec![2]))];
    let outcomes = leaders::reassign(&world.view(), &moves);
    assert_eq!(outcomes[..2], [Ok(()), Err(Refusal::NothingToCancel)]);
    assert!(matches!(outcomes[2], Err(Refusal::BadAssignment(_))));
}

/// A log that keeps nothing but counts.
#[derive(Debug, Default)]
struct Counting {
    end: i64,
}

impl Quorum for Counting {
    fn propose(
        &mut self,
        batches: &[Vec<MetadataRecord>],
        _now: Timestamp,
    ) -> Result<i64, NotCommitted> {
        self.end += batches.iter().map(|batch| i64::try_from(batch.len()).unwrap()).sum::<i64>();
        Ok(self.end)
    }

    fn status(&self) -> Status {
        Status::default()
    }
}

#[tokio::test]
async fn a_decision_that_panics_is_void_and_the_next_one_is_made() {
    let world = World::new();
    let parts = Parts {
        quorum: Box::new(Counting::default()),
        metadata: Arc::default(),
        config: Arc::new(ArcSwap::from_pointee(world.config.clone())),
        node: world.node.clone(),
        clock: Arc::new(ManualClock::default()),
        rng: Arc::new(SeededRng::new(7)),
    };
    let (controller, mut driver) = Controller::new(parts);
    driver.start(Image::default()).unwrap();
    let running = tokio::task::spawn_blocking(move || driver.run());
    let panicked = controller.decide(|_| -> (Vec<MetadataRecord>, ()) { panic!("a fault") }).await;
    assert!(panicked.is_err());
    assert_eq!(controller.decide(|_| (Vec::new(), 7)).await, Ok(7));
    controller.stop().await;
    running.await.unwrap();
}
