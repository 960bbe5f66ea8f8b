//! Snapshots and batches of metadata that are nearly right: each is read or refused, and none of
//! them panics. Every input follows from a seed; `MILENA_PROOF_SEED` and `MILENA_PROOF_RUNS` say
//! from which one on and how many.

use std::panic::{AssertUnwindSafe, catch_unwind};

use milena_protocol::{
    Timestamp, Uuid,
    compression::{Codec, InflateLimit},
    records::BatchBuilder,
    state::metadata::{
        BrokerEndpoint, ConfigRecord, FeatureLevelRecord, PartitionChangeRecord, PartitionRecord,
        ProducerIdsRecord, RegisterBrokerRecord, RemoveTopicRecord, TopicRecord,
    },
    wire::Str,
};

use super::{file::decode, file::encode, *};
use crate::{
    clock::{Rng, SeededRng},
    metadata::{
        MetadataRecord,
        batches::{batch, split, take_in},
    },
};

const NOW: Timestamp = Timestamp(1_700_000_000_000);

#[test]
fn nothing_panics_whatever_is_read_as_metadata() {
    let records = records();
    let mut image = Image::default();
    for (offset, record) in (0..).zip(&records) {
        image.apply(record, offset).unwrap();
    }
    let snapshot = encode(&image, LeaderEpoch(3), NOW, NOW).unwrap();
    let log = batch(BatchBuilder::new(Codec::None), &records, NOW).unwrap();
    let written = split(&mut log.clone(), Offset::ZERO).unwrap();
    let written = written.records(InflateLimit::default()).unwrap();
    let values: Vec<Bytes> = written.map(|record| record.unwrap().value.unwrap()).collect();
    let (first, inputs) = (told("MILENA_PROOF_SEED", 0), told("MILENA_PROOF_RUNS", 1_000));
    for seed in first..first + inputs {
        let dice = Dice(SeededRng::new(seed));
        let read = || read_all(&dice, &snapshot, &log, &values);
        let outcome = catch_unwind(AssertUnwindSafe(read));
        assert!(outcome.is_ok(), "again: MILENA_PROOF_SEED={seed} MILENA_PROOF_RUNS=1");
    }
    println!("{inputs} inputs from seed {first}");
}

fn read_all(dice: &Dice, snapshot: &[u8], log: &[u8], values: &[Bytes]) {
    if let Ok(image) = decode(dice.mutated(snapshot), 100) {
        let again = encode(&image, LeaderEpoch(3), NOW, NOW).unwrap();
        assert_eq!(decode(again, 100).unwrap(), image);
    }
    if let Ok(batch) = split(&mut dice.mutated(log), Offset::ZERO) {
        let _ = take_in(&mut Image::default(), &batch);
    }
    // In a batch that passes for undamaged, so that what is inside is looked at.
    let mut builder = BatchBuilder::new(Codec::None);
    for value in values {
        let value = if dice.of(4) == 0 { dice.mutated(value) } else { value.clone() };
        builder.append(NOW, None, Some(&value), &[]).unwrap();
    }
    let batch = split(&mut builder.build().unwrap(), Offset::ZERO).unwrap();
    let mut image = Image::default();
    let _ = take_in(&mut image, &batch);
    // Whatever came into an image goes into a snapshot and back.
    let written = encode(&image, LeaderEpoch(0), NOW, NOW).unwrap();
    assert_eq!(decode(written, image.end()).unwrap(), image);
}

/// Chance from a seed.
struct Dice(SeededRng);

impl Dice {
    fn of(&self, sides: usize) -> usize {
        usize::try_from(self.0.next_u64() % sides.max(1) as u64).unwrap()
    }

    fn byte(&self) -> u8 {
        self.0.next_u64().to_be_bytes()[0]
    }

    /// Other bytes: flipped, cut, repeated, or overwritten by numbers that are hard on parsers.
    fn mutated(&self, bytes: &[u8]) -> Bytes {
        const HARD: [i64; 6] = [0, -1, i64::MAX, i64::MIN, i32::MAX as i64, 0x7f];
        let mut bytes = bytes.to_vec();
        for _ in 0..=self.of(3) {
            let at = self.of(bytes.len());
            match self.of(5) {
                0 if at < bytes.len() => bytes[at] ^= 1 << self.of(8),
                1 => bytes.truncate(at),
                2 => {
                    let piece: Vec<u8> = bytes.iter().skip(at).take(self.of(40)).copied().collect();
                    bytes.splice(at..at, piece);
                }
                3 => {
                    let number = HARD[self.of(HARD.len())].to_be_bytes();
                    let len = [1, 2, 4, 8][self.of(4)];
                    for (to, from) in bytes.iter_mut().skip(at).zip(&number[8 - len..]) {
                        *to = *from;
                    }
                }
                _ => bytes.iter_mut().skip(at).take(self.of(12)).for_each(|it| *it = self.byte()),
            }
        }
        bytes.into()
    }
}

/// One of nearly everything that a log says.
fn records() -> Vec<MetadataRecord> {
    let topic = |name, id| TopicRecord { name: Str::from_static(name), topic_id: Uuid([id; 16]) };
    let partition = |partition_id, id| PartitionRecord {
        partition_id,
        topic_id: Uuid([id; 16]),
        replicas: vec![1],
        isr: vec![1],
        leader: 1,
        directories: vec![Uuid([5; 16])],
        ..PartitionRecord::default()
    };
    let endpoint = BrokerEndpoint {
        name: "PLAINTEXT".into(),
        host: "h".into(),
        port: 9092,
        security_protocol: 0,
    };
    let broker = RegisterBrokerRecord {
        broker_id: 1,
        end_points: vec![endpoint],
        log_dirs: vec![Uuid([5; 16])],
        ..RegisterBrokerRecord::default()
    };
    let setting = ConfigRecord {
        resource_type: 2,
        resource_name: "a".into(),
        name: "retention.ms".into(),
        value: Some("1000".into()),
    };
    let change = PartitionChangeRecord {
        partition_id: 1,
        topic_id: Uuid([1; 16]),
        leader: 1,
        ..PartitionChangeRecord::default()
    };
    let ids = ProducerIdsRecord { broker_id: 1, broker_epoch: 1, next_producer_id: 1000 };
    vec![
        FeatureLevelRecord { name: "metadata.version".into(), feature_level: 20 }.into(),
        broker.into(),
        topic("a", 1).into(),
        partition(0, 1).into(),
        partition(1, 1).into(),
        change.into(),
        setting.into(),
        topic("b", 2).into(),
        partition(0, 2).into(),
        ids.into(),
        RemoveTopicRecord { topic_id: Uuid([2; 16]) }.into(),
    ]
}

fn told(name: &str, otherwise: u64) -> u64 {
    let told = std::env::var(name).ok();
    told.map_or(otherwise, |number| number.parse().expect("a number"))
}
