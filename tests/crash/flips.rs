//! Flips one bit in one file of a data directory, starts a broker on it and reads everything:
//! what is wrong must never be served as right, and nothing may be missing without a word.
//!
//! `MILENA_CRASH_FLIPS` says how often (30).

use std::{
    collections::BTreeMap,
    fs,
    ops::Range,
    path::{Path, PathBuf},
};

use bytes::Bytes;
use milena_protocol::{
    ErrorCode, ProducerEpoch, ProducerId,
    compression::Codec,
    messages::{
        DeleteRecordsRequest, FetchRequest,
        data::delete_records::{DeleteRecordsPartition, DeleteRecordsTopic},
    },
    records::{Batch, BatchBuilder},
    wire::Records,
};
use milena_tests::{
    RawClient, TestBroker,
    data::{create, fetch_of, fill, produce},
};
use tempfile::TempDir;

use super::{SEED, dice::Dice, findings, now, number, program};

#[test]
fn a_flipped_bit_is_never_served_and_cuts_nothing_in_silence() {
    let seed = number(SEED).unwrap_or_else(now);
    let flips = number("MILENA_CRASH_FLIPS").unwrap_or(FLIPS);
    println!("MILENA_CRASH_SEED={seed} MILENA_CRASH_FLIPS={flips}");
    let mut dice = Dice::new(seed);
    let originals = originals();
    let mut counts: BTreeMap<(String, Effect), usize> = BTreeMap::new();
    for flip in 0..flips {
        let original = &originals[usize::from(dice.below(2) == 0)];
        let bit = original.choose(&mut dice);
        let context = format!("flip {flip} of seed {seed}, {bit:?}, clean: {}", original.clean);
        let effect = original.flip(&bit, &context);
        *counts.entry((bit.kind(), effect)).or_default() += 1;
    }
    for ((kind, effect), count) in counts {
        println!("{kind}: {count} {effect:?}");
    }
}

/// What came of a flip.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Effect {
    /// All was served as it was written.
    Harmless,
    /// The broker did not start.
    NotStarted,
    /// A partition answered with an error, or the client saw that a checksum is wrong.
    Noticed,
    /// It looked like the last write before a crash.
    CutAsTorn,
    /// The client got an epoch that is wrong, of the last batch before a crash. No checksum covers
    /// it, and nothing tells that no later leader wrote there.
    LaterEpochAtTheEnd,
}

#[derive(Debug)]
struct Bit {
    file: PathBuf,
    byte: usize,
    bit: u32,
    /// In the last batch of a partition.
    last: bool,
    /// In a batch's base offset, which the checksum does not cover.
    of_offset: bool,
    /// The same of its leader epoch.
    of_epoch: bool,
}

/// A data directory in memory, and what was written to it.
struct Original {
    clean: bool,
    files: BTreeMap<PathBuf, Vec<u8>>,
    written: BTreeMap<i32, Written>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Written {
    start: i64,
    /// Each with its offset and leader epoch.
    values: Vec<(i64, i32, String)>,
}

/// The same records on a directory that was stopped in order and on one that was not.
fn originals() -> [Original; 2] {
    let mut broker = TestBroker::start(SETTINGS);
    let mut client = broker.connect();
    let configs =
        [("index.interval.bytes", "64"), ("segment.index.bytes", "96"), ("retention.ms", "-1")];
    create(&mut client, TOPIC, 3, &configs);
    let mut written: BTreeMap<i32, Written> = BTreeMap::new();
    for round in 0..40 {
        for index in 0..3 {
            let values = [format!("{index} {round} {}", "x".repeat(round)), "y".repeat(20)];
            let codec = if index == 1 { Codec::Gzip } else { Codec::None };
            let mut builder = BatchBuilder::new(codec);
            if index == 2 {
                let sequence = i32::try_from(2 * round).unwrap();
                builder = builder.producer(ProducerId(7), ProducerEpoch(0), sequence);
            }
            let records = fill(builder, &[&values[0], &values[1]]);
            let answer = produce(&mut client, TOPIC, index, records);
            assert_eq!(answer.error_code, ErrorCode::None);
            let values = (answer.base_offset..).zip(values).map(|(at, value)| (at, 0, value));
            written.entry(index).or_default().values.extend(values);
        }
    }
    delete_records(&mut client, 1, TRIMMED_TO);
    let trimmed = written.get_mut(&1).unwrap();
    trimmed.start = TRIMMED_TO;
    trimmed.values.retain(|(offset, ..)| *offset >= TRIMMED_TO);
    let running = load(&broker.data());
    broker.stop();
    let stopped = load(&broker.data());
    assert_eq!(findings(&broker.data()), []);
    [
        Original { clean: false, files: running, written: written.clone() },
        Original { clean: true, files: stopped, written },
    ]
}

impl Original {
    fn choose(&self, dice: &mut Dice) -> Bit {
        let files: Vec<_> = self.files.iter().filter(|(_, bytes)| !bytes.is_empty()).collect();
        let (file, bytes) = files[dice.below(u32::try_from(files.len()).unwrap()) as usize];
        let byte = dice.below(u32::try_from(bytes.len()).unwrap()) as usize;
        let last = self.last_batch(file).is_some_and(|start| byte >= start);
        let batch = batches(bytes).into_iter().filter(|_| is_log(file)).rfind(|it| *it <= byte);
        let is_in = |field: Range<usize>| batch.is_some_and(|at| field.contains(&(byte - at)));
        let (of_offset, of_epoch) = (is_in(0..8), is_in(12..16));
        Bit { file: file.clone(), byte, bit: dice.below(8), last, of_offset, of_epoch }
    }

    /// Where the last batch of a partition begins, if `file` has it.
    fn last_batch(&self, file: &Path) -> Option<usize> {
        let siblings = self.files.keys().filter(|it| it.parent() == file.parent() && is_log(it));
        let with_bytes = siblings.filter(|path| !self.files[*path].is_empty());
        let last = with_bytes.max().filter(|last| *last == file)?;
        batches(&self.files[last]).pop()
    }

    fn flip(&self, bit: &Bit, context: &str) -> Effect {
        let directory = TempDir::new().unwrap();
        let data = directory.path().join("data");
        for (file, bytes) in &self.files {
            let path = data.join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            let mut bytes = bytes.clone();
            if *file == bit.file {
                bytes[bit.byte] ^= 1 << bit.bit;
            }
            fs::write(path, bytes).unwrap();
        }
        // Behind the last batch nothing tells that its offset is too high.
        if bit.kind() == "log" && !(bit.last && (bit.of_offset || bit.of_epoch)) {
            assert_ne!(findings(&data), [], "nothing is found: {context}");
        }
        let Ok(broker) = program().try_start(&data, &[]) else { return Effect::NotStarted };
        let mut effect = Effect::Harmless;
        for (&index, written) in &self.written {
            match read(&mut broker.connect(), index, written) {
                Reading::Noticed(found) => {
                    assert!(written.values.starts_with(&found.values), "{index}: {context}");
                    effect = Effect::Noticed;
                }
                Reading::All(found) if found == *written => {}
                Reading::All(found) => {
                    if bit.last && bit.of_epoch && !self.clean && found.is_but_for_epochs(written) {
                        effect = Effect::LaterEpochAtTheEnd;
                        continue;
                    }
                    let cut = written.values.starts_with(&found.values);
                    let torn = bit.last && !self.clean && cut && found.start == written.start;
                    let (start, from) = (found.start, written.start);
                    let (count, of) = (found.values.len(), written.values.len());
                    assert!(
                        torn,
                        "partition {index} begins at {start} and not {from}, and has {count} of \
                         {of} records or others: {context}"
                    );
                    effect = Effect::CutAsTorn;
                }
            }
        }
        effect
    }
}

impl Written {
    fn is_but_for_epochs(&self, other: &Self) -> bool {
        let values = |it: &Self| -> Vec<(i64, String)> {
            it.values.iter().map(|(at, _, value)| (*at, value.clone())).collect()
        };
        self.start == other.start && values(self) == values(other)
    }
}

impl Bit {
    /// What sort of file it is in.
    fn kind(&self) -> String {
        let of_metadata = self.file.starts_with("__cluster_metadata-0");
        let name = self.file.extension().or(self.file.file_name()).unwrap_or_default();
        let name = name.to_string_lossy();
        if of_metadata { format!("metadata {name}") } else { name.into_owned() }
    }
}

enum Reading {
    All(Written),
    /// After this much.
    Noticed(Written),
}

/// Everything of a partition, as a client reads it that trusts nobody.
fn read(client: &mut RawClient, index: i32, written: &Written) -> Reading {
    let mut found = Written::default();
    let mut next = written.start;
    loop {
        let id = client.start(11, &fetch_of(TOPIC, index, next));
        let Some(answer) = client.try_finish::<FetchRequest>(11, id) else {
            return Reading::Noticed(found);
        };
        let partition = &answer.responses[0].partitions[0];
        if partition.error_code != ErrorCode::None {
            return Reading::Noticed(found);
        }
        found.start = partition.log_start_offset;
        let mut bytes = partition.records.as_ref().and_then(Records::as_bytes).unwrap().clone();
        if bytes.is_empty() {
            return Reading::All(found);
        }
        while !bytes.is_empty() {
            let Ok(batch) = Batch::split(&mut bytes) else { return Reading::Noticed(found) };
            let Ok(records) = batch.records(Default::default()) else {
                return Reading::Noticed(found);
            };
            for record in records {
                let Ok(record) = record else { return Reading::Noticed(found) };
                let value = String::from_utf8(record.value.unwrap().to_vec()).unwrap();
                if record.offset.0 >= next {
                    found.values.push((record.offset.0, batch.leader_epoch().0, value));
                }
            }
            next = batch.last_offset().0 + 1;
        }
    }
}

fn is_log(path: &Path) -> bool {
    path.extension().is_some_and(|it| it == "log")
}

/// Where batches begin.
fn batches(log: &[u8]) -> Vec<usize> {
    let (mut rest, mut starts) = (Bytes::copy_from_slice(log), Vec::new());
    while !rest.is_empty() {
        starts.push(log.len() - rest.len());
        if Batch::split(&mut rest).is_err() {
            // Not a log.
            return Vec::new();
        }
    }
    starts
}

fn delete_records(client: &mut RawClient, partition_index: i32, offset: i64) {
    let partitions = vec![DeleteRecordsPartition { partition_index, offset }];
    let topics = vec![DeleteRecordsTopic { name: TOPIC.into(), partitions }];
    let request = DeleteRecordsRequest { topics, timeout_ms: 10_000 };
    let answer = client.ask(1, &request);
    assert_eq!(answer.topics[0].partitions[0].error_code, ErrorCode::None);
}

/// All files below `folder`, but those that hold nothing.
fn load(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.is_dir() {
                folders.push(path);
            } else if !IGNORED.contains(&name.as_str()) {
                found
                    .insert(path.strip_prefix(folder).unwrap().to_owned(), fs::read(path).unwrap());
            }
        }
    }
    found
}

const FLIPS: u64 = 30;
const TOPIC: &str = "t";
const TRIMMED_TO: i64 = 15;
const SETTINGS: &[(&str, &str)] = &[("log.flush.offset.checkpoint.interval.ms", "50")];
const IGNORED: &[&str] = &[".lock", ".metadata-reserve"];
