//! The indexes by example, and against a list over random steps.

use std::{path::Path, sync::Arc};

use milena_protocol::{ProducerId, Timestamp};
use proptest::prelude::*;

use super::*;
use crate::fs::{
    Disk, Mode,
    sim::{Call, Fault, SimDisk},
};

const BASE: Offset = Offset(1000);
const BYTES_MAX: u32 = 1 << 20;
/// Any offset, any position.
const ANYWHERE: Extent = Extent { end: Offset(i64::MAX), log_bytes: u64::MAX };

fn disk() -> (SimDisk, Arc<dyn Disk>) {
    let disk = SimDisk::new();
    (disk.clone(), Arc::new(disk))
}

fn path() -> &'static Path {
    Path::new("/00000000000000001000.index")
}

fn put(disk: &dyn Disk, bytes: &[u8]) {
    let file = disk.open(path(), Mode::CreateOrOpen).unwrap();
    file.set_len(0).unwrap();
    file.write_all_at(&mut [io::IoSlice::new(bytes)], 0).unwrap();
}

fn bytes(disk: &dyn Disk) -> Vec<u8> {
    let file = disk.open(path(), Mode::Read).unwrap();
    let mut bytes = vec![0; usize::try_from(file.len().unwrap()).unwrap()];
    file.read_exact_at(&mut bytes, 0).unwrap();
    bytes
}

fn at(offset: i64, position: u32) -> OffsetEntry {
    OffsetEntry { offset: Offset(offset), position }
}

#[test]
fn an_offset_entry_is_eight_big_endian_bytes() {
    let (_, disk) = disk();
    let index = OffsetIndex::create(&disk, path(), BASE, BYTES_MAX).unwrap();
    index.append(Offset(1005), 4096).unwrap();
    index.append(Offset(1000 + 0x0102), 0x0304_0506).unwrap();
    assert_eq!(bytes(&*disk), [0; 0], "waits for more");
    index.sync().unwrap();
    assert_eq!(bytes(&*disk), [0, 0, 0, 5, 0, 0, 0x10, 0, 0, 0, 1, 2, 3, 4, 5, 6]);
}

#[test]
fn a_time_entry_is_twelve_big_endian_bytes() {
    let (_, disk) = disk();
    let index = TimeIndex::create(&disk, path(), BASE, BYTES_MAX).unwrap();
    index.append(Timestamp(0x0102_0304), Offset(1005)).unwrap();
    index.seal().unwrap();
    assert_eq!(bytes(&*disk), [0, 0, 0, 0, 1, 2, 3, 4, 0, 0, 0, 5]);
}

#[test]
fn entries_are_refused_out_of_order_out_of_range_and_over_the_limit() {
    let (_, disk) = disk();
    let index = OffsetIndex::create(&disk, path(), BASE, 19).unwrap();
    let append = |offset| index.append(Offset(offset), 0).map_err(|error| error.to_string());
    assert_eq!(append(999), Err("offset 999 is below the base 1000".to_owned()));
    let too_far = 1000 + (1_i64 << 31);
    assert_eq!(append(too_far), Err(format!("offset {too_far} is too far from the base 1000")));
    assert_eq!(append(1001), Ok(()));
    assert_eq!(append(1001), Err("offset 1001 is not above the last entry's 1001".to_owned()));
    assert!(!index.is_full());
    assert_eq!(append(too_far - 1), Ok(()));
    assert!(index.is_full(), "19 bytes are room for two entries");
    assert_eq!(index.last(), Some(at(too_far - 1, 0)));

    let index = TimeIndex::create(&disk, path(), BASE, 24).unwrap();
    let append = |timestamp, offset| index.append(Timestamp(timestamp), Offset(offset));
    append(-1, 1000).unwrap();
    append(10, 1005).unwrap();
    append(10, 1006).unwrap();
    append(9, 1007).unwrap();
    assert_eq!(index.count(), 1);
    assert!(matches!(append(11, 1005), Err(AppendError::NotIncreasing { .. })));
    assert!(index.is_full(), "one entry is kept for the roll");
    append(11, 1008).unwrap();
    assert!(matches!(append(12, 1009), Err(AppendError::Full)));
}

#[test]
fn a_lookup_finds_the_entry_at_or_below() {
    let (_, disk) = disk();
    let index = OffsetIndex::create(&disk, path(), BASE, BYTES_MAX).unwrap();
    assert_eq!(index.lookup(Offset(5000)).unwrap(), at(1000, 0));
    index.append(Offset(1010), 100).unwrap();
    index.append(Offset(1020), 200).unwrap();
    for seal in [false, true] {
        if seal {
            index.seal().unwrap();
        }
        let lookup = |offset| index.lookup(Offset(offset)).unwrap();
        assert_eq!(lookup(0), at(1000, 0));
        assert_eq!(lookup(1009), at(1000, 0));
        assert_eq!(lookup(1010), at(1010, 100));
        assert_eq!(lookup(1019), at(1010, 100));
        assert_eq!(lookup(i64::MAX), at(1020, 200));
        let first = |position| index.first_at_or_after(position).unwrap();
        assert_eq!(first(0), Some(at(1010, 100)));
        assert_eq!(first(101), Some(at(1020, 200)));
        assert_eq!(first(201), None);
    }
}

#[test]
fn a_damaged_file_is_told_apart_from_a_missing_one() {
    let (_, disk) = disk();
    let extent = Extent { end: Offset(1100), log_bytes: 5000 };
    let entries = |pairs: &[[u32; 2]]| -> Vec<u8> {
        pairs.iter().flatten().flat_map(|number| number.to_be_bytes()).collect()
    };
    let open = |sealed: bool| {
        let opened = if sealed {
            OffsetIndex::open_sealed(&disk, path(), BASE, BYTES_MAX, extent)
        } else {
            OffsetIndex::open_active(&disk, path(), BASE, BYTES_MAX, extent)
        };
        opened.map(|index| index.count())
    };
    assert!(matches!(open(true), Err(OpenError::Missing)));
    assert!(matches!(open(false), Err(OpenError::Missing)));
    let length = Damage::Length { bytes: 7, entry_bytes: 8 };
    let (zeros, order) = (Damage::NotIncreasing { at: 2 }, Damage::NotIncreasing { at: 1 });
    for (contents, expected) in [
        (vec![], Ok(0)),
        (vec![0; 7], Err(length)),
        (entries(&[[5, 100], [9, 200]]), Ok(2)),
        (entries(&[[5, 100], [9, 200], [0, 0]]), Err(zeros)),
        (entries(&[[5, 100], [5, 200]]), Err(order)),
        (entries(&[[5, 100], [6, 100]]), Err(order)),
        (entries(&[[5, 100], [100, 200]]), Err(Damage::OutOfRange { at: 1 })),
        (entries(&[[5, 100], [99, 5000]]), Err(Damage::OutOfRange { at: 1 })),
        (entries(&[[u32::MAX, 100]]), Err(Damage::OutOfRange { at: 0 })),
    ] {
        put(&*disk, &contents);
        for sealed in [true, false] {
            let found = open(sealed).map_err(|error| match error {
                OpenError::Damaged(damage) => damage,
                other => panic!("{other:?}"),
            });
            assert_eq!(found, expected, "{contents:?} sealed {sealed}");
        }
    }
    // A look at both ends does not see this, a look at every entry does.
    put(&*disk, &entries(&[[5, 100], [3, 150], [9, 200]]));
    assert_eq!(open(true).unwrap(), 3);
    assert!(matches!(open(false), Err(OpenError::Damaged(Damage::NotIncreasing { at: 1 }))));
}

#[test]
fn a_sealed_index_grows_again_after_a_truncation() {
    let (_, disk) = disk();
    let index = OffsetIndex::create(&disk, path(), BASE, BYTES_MAX).unwrap();
    for n in 1..=5 {
        index.append(Offset(1000 + i64::from(n) * 10), n * 100).unwrap();
    }
    index.seal().unwrap();
    assert_eq!(index.lookup(Offset(1035)).unwrap(), at(1030, 300));
    index.truncate_to(Offset(1030)).unwrap();
    assert_eq!(index.entries().unwrap(), [at(1010, 100), at(1020, 200)]);
    assert_eq!(bytes(&*disk).len(), 16);
    index.append(Offset(1031), 300).unwrap();
    index.sync().unwrap();
    let again = OffsetIndex::open_sealed(&disk, path(), BASE, BYTES_MAX, ANYWHERE).unwrap();
    assert_eq!(again.entries().unwrap(), [at(1010, 100), at(1020, 200), at(1031, 300)]);
}

#[test]
fn an_index_follows_its_file_when_that_is_renamed() {
    let (_, disk) = disk();
    let index = OffsetIndex::create(&disk, path(), BASE, BYTES_MAX).unwrap();
    index.append(Offset(1010), 100).unwrap();
    index.seal().unwrap();
    let renamed = path().with_extension("index.deleted");
    disk.rename(path(), &renamed).unwrap();
    assert!(index.lookup(Offset(1010)).is_err());
    index.moved_to(renamed.clone());
    assert_eq!(index.path(), renamed);
    assert_eq!(index.lookup(Offset(1010)).unwrap(), at(1010, 100));
}

#[test]
fn an_entry_that_could_not_be_written_is_written_with_the_next() {
    let (sim, disk) = disk();
    let index = OffsetIndex::create(&disk, path(), BASE, BYTES_MAX).unwrap();
    sim.inject(Fault::once(Call::Write, "index"));
    let failed: Vec<u32> =
        (1..=600).filter(|&n| index.append(Offset(1000 + i64::from(n)), n).is_err()).collect();
    assert_eq!(failed, [512], "the first time that a page was full");
    assert_eq!(index.lookup(Offset(1512)).unwrap(), at(1512, 512));
    index.seal().unwrap();
    assert_eq!(index.lookup(Offset(1512)).unwrap(), at(1512, 512));
    assert_eq!(index.count(), 600);
}

#[test]
fn a_sync_covers_what_was_sealed_before() {
    let (sim, disk) = disk();
    let index = OffsetIndex::create(&disk, path(), BASE, BYTES_MAX).unwrap();
    index.append(Offset(1010), 100).unwrap();
    index.seal().unwrap();
    assert!(!sim.is_synced(path()).unwrap());
    index.sync().unwrap();
    assert!(sim.is_synced(path()).unwrap());
}

fn aborted(first: i64, last: i64, last_stable: i64) -> AbortedTransaction {
    AbortedTransaction {
        producer: ProducerId(9),
        first: Offset(first),
        last: Offset(last),
        last_stable: Offset(last_stable),
    }
}

#[test]
fn a_transaction_index_has_no_file_until_something_was_aborted() {
    let (_, disk) = disk();
    let index = TransactionIndex::open(&disk, path(), BASE, ANYWHERE).unwrap();
    index.sync().unwrap();
    assert!(!disk.exists(path()));
    index.append(aborted(990, 1000, 1001)).unwrap();
    index.sync().unwrap();
    let mut expected = vec![0, 0];
    for number in [9_i64, 990, 1000, 1001] {
        expected.extend(number.to_be_bytes());
    }
    assert_eq!(bytes(&*disk), expected);
    assert!(matches!(index.append(aborted(999, 999, 999)), Err(AppendError::BelowBase { .. })));
    assert!(matches!(
        index.append(aborted(999, 1000, 1001)),
        Err(AppendError::NotIncreasing { .. })
    ));
    let again = TransactionIndex::open(&disk, path(), BASE, ANYWHERE).unwrap();
    assert_eq!(again.count(), 1);
    put(&*disk, &[1; 34]);
    assert!(matches!(
        TransactionIndex::open(&disk, path(), BASE, ANYWHERE),
        Err(OpenError::Damaged(Damage::UnknownVersion { at: 0 }))
    ));
    assert_eq!(TransactionIndex::create(&disk, path(), BASE).unwrap().count(), 0);
    assert!(!disk.exists(path()));
}

#[test]
fn a_reader_learns_of_the_aborted_transactions_that_overlap() {
    let (_, disk) = disk();
    let index = TransactionIndex::create(&disk, path(), BASE).unwrap();
    let (early, late) = (aborted(1000, 1010, 1005), aborted(1005, 1020, 1021));
    index.append(early).unwrap();
    index.append(late).unwrap();
    let found = |from, upper| index.aborted_in(Offset(from), Offset(upper)).unwrap();
    let aborts =
        |transactions: &[_], complete| Aborts { transactions: transactions.to_vec(), complete };
    assert_eq!(found(1000, 1005), aborts(&[early], true));
    assert_eq!(found(1000, 1006), aborts(&[early, late], true));
    assert_eq!(found(1011, 1030), aborts(&[late], false));
    assert_eq!(found(1021, 1030), aborts(&[], false));
    index.truncate_to(Offset(1020)).unwrap();
    index.seal().unwrap();
    assert_eq!(found(1000, 1030), aborts(&[early], false));
}

/// What may happen to an index.
#[derive(Clone, Debug)]
enum Step {
    Append { gap: i64, bytes: u32 },
    Truncate { offset: i64 },
    Seal,
    Sync,
    Reopen,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        20 => (0..40_i64, 1..5000_u32).prop_map(|(gap, bytes)| Step::Append { gap, bytes }),
        1 => (990..3000_i64).prop_map(|offset| Step::Truncate { offset }),
        1 => Just(Step::Seal),
        1 => Just(Step::Sync),
        1 => Just(Step::Reopen),
    ]
}

proptest! {
    #[test]
    fn both_indexes_agree_with_a_list(steps in prop::collection::vec(step(), 1..120)) {
        let (_, disk) = disk();
        let times = Path::new("/00000000000000001000.timeindex");
        let mut index = OffsetIndex::create(&disk, path(), BASE, BYTES_MAX).unwrap();
        let mut time_index = TimeIndex::create(&disk, times, BASE, BYTES_MAX).unwrap();
        let mut model: Vec<OffsetEntry> = Vec::new();
        let mut next = at(1000, 0);
        for step in steps {
            match step {
                Step::Append { gap, bytes } => {
                    let entry = at(next.offset.0 + gap, next.position);
                    let accepted = model.last().is_none_or(|last| last.offset < entry.offset);
                    prop_assert_eq!(index.append(entry.offset, entry.position).is_ok(), accepted);
                    if accepted {
                        time_index.append(Timestamp(entry.offset.0 * 3), entry.offset).unwrap();
                        model.push(entry);
                        next = at(entry.offset.0, entry.position + bytes);
                    }
                }
                Step::Truncate { offset } => {
                    index.truncate_to(Offset(offset)).unwrap();
                    time_index.truncate_to(Offset(offset)).unwrap();
                    model.retain(|entry| entry.offset < Offset(offset));
                }
                Step::Seal => {
                    index.seal().unwrap();
                    time_index.seal().unwrap();
                }
                Step::Sync => {
                    index.sync().unwrap();
                    time_index.sync().unwrap();
                }
                Step::Reopen => {
                    index.seal().unwrap();
                    time_index.seal().unwrap();
                    index = OffsetIndex::open_active(&disk, path(), BASE, BYTES_MAX, ANYWHERE)
                        .unwrap();
                    time_index = TimeIndex::open_sealed(&disk, times, BASE, BYTES_MAX, ANYWHERE)
                        .unwrap();
                }
            }
            prop_assert_eq!(index.entries().unwrap(), model.clone());
            prop_assert_eq!(index.last(), model.last().copied());
            let time_of = |entry: &OffsetEntry| TimeEntry {
                timestamp: Timestamp(entry.offset.0 * 3),
                offset: entry.offset,
            };
            prop_assert_eq!(
                time_index.entries().unwrap(),
                model.iter().map(time_of).collect::<Vec<_>>()
            );
            for offset in (990..2200).step_by(13) {
                let below = model.iter().rev().find(|entry| entry.offset.0 <= offset);
                prop_assert_eq!(
                    index.lookup(Offset(offset)).unwrap(),
                    below.copied().unwrap_or(at(1000, 0))
                );
                prop_assert_eq!(
                    time_index.lookup(Timestamp(offset * 3)).unwrap(),
                    below.map_or(
                        TimeEntry { timestamp: Timestamp::NONE, offset: BASE },
                        time_of
                    )
                );
            }
        }
    }

    #[test]
    fn no_bytes_make_an_index_panic(
        contents in prop::collection::vec(any::<u8>(), 0..200),
        offset in any::<i64>(),
        end in any::<i64>(),
    ) {
        let (_, disk) = disk();
        put(&*disk, &contents);
        let extent = Extent { end: Offset(end), log_bytes: 1 << 31 };
        for base in [BASE, Offset(i64::MAX)] {
            if let Ok(index) = OffsetIndex::open_sealed(&disk, path(), base, BYTES_MAX, extent) {
                index.lookup(Offset(offset)).unwrap();
            }
            if let Ok(index) = OffsetIndex::open_active(&disk, path(), base, BYTES_MAX, extent) {
                let found = index.lookup(Offset(offset)).unwrap().offset;
                prop_assert!(found == base || found < Offset(end));
            }
            if let Ok(index) = TimeIndex::open_sealed(&disk, path(), base, BYTES_MAX, extent) {
                index.lookup(Timestamp(offset)).unwrap();
            }
            let _ = TransactionIndex::open(&disk, path(), base, extent);
        }
    }
}
