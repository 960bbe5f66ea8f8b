//! Bytes that are nearly right, for every decoder: each answers, and none of them panics. Every
//! input follows from a seed that is printed when something is wrong.

use std::panic::{AssertUnwindSafe, catch_unwind};

use bytes::Bytes;

use super::subject;
use crate::{
    compression::{Codec, InflateLimit, compress, decompress},
    messages::ApiKey,
    records::{Batch, BatchBuilder},
    wire::{
        arbitrary::Seed,
        header::{RequestHeader, ResponseHeader},
    },
};

/// Repeatable chance (splitmix64).
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn index(&mut self, sides: usize) -> usize {
        usize::try_from(self.roll() % sides.max(1) as u64).unwrap()
    }

    fn byte(&mut self) -> u8 {
        self.roll().to_be_bytes()[0]
    }
}

/// Other bytes: flipped, cut, repeated, or overwritten by numbers that are hard on decoders.
fn mutate(bytes: &[u8], dice: &mut Dice) -> Bytes {
    const HARD: [i64; 7] = [0, -1, 1, i64::MAX, i64::MIN, i32::MAX as i64, 0x7f];
    let mut bytes = bytes.to_vec();
    for _ in 0..=dice.index(4) {
        let at = dice.index(bytes.len());
        match dice.index(6) {
            0 if at < bytes.len() => bytes[at] ^= 1 << dice.index(8),
            1 => bytes.truncate(at),
            2 => bytes.extend((0..dice.index(20)).map(|_| dice.byte()).collect::<Vec<_>>()),
            3 => {
                let number = HARD[dice.index(HARD.len())].to_be_bytes();
                let len = [1, 2, 4, 8][dice.index(4)];
                for (to, from) in bytes.iter_mut().skip(at).zip(&number[8 - len..]) {
                    *to = *from;
                }
            }
            4 => {
                let piece: Vec<u8> = bytes.iter().skip(at).take(dice.index(40)).copied().collect();
                bytes.splice(at..at, piece);
            }
            _ => {
                for byte in bytes.iter_mut().skip(at).take(dice.index(12)) {
                    *byte = dice.byte();
                }
            }
        }
    }
    bytes.into()
}

fn told(name: &str, otherwise: u64) -> u64 {
    let told = std::env::var(name).ok();
    told.map_or(otherwise, |number| number.parse().expect("a number"))
}

/// Runs `input` for as many seeds as told, and names the one that panics.
fn for_every_seed(short: u64, input: impl Fn(&mut Dice)) {
    let (first, inputs) = (told("MILENA_PROOF_SEED", 0), told("MILENA_PROOF_RUNS", short));
    for seed in first..first + inputs {
        let outcome = catch_unwind(AssertUnwindSafe(|| input(&mut Dice(seed))));
        assert!(outcome.is_ok(), "again: MILENA_PROOF_SEED={seed} MILENA_PROOF_RUNS=1");
    }
    println!("{inputs} inputs from seed {first}");
}

#[test]
fn no_message_or_record_panics_whatever_it_is_read_from() {
    let subjects = subject::all();
    for_every_seed(20_000, |dice| {
        let subject = &subjects[dice.index(subjects.len())];
        let versions: Vec<_> = subject.versions().collect();
        let v = versions[dice.index(versions.len())];
        let whole = subject.encode_arbitrary(&mut Seed(dice.roll()), v);
        let mut mutated = mutate(&whole, dice);
        // What is read in one version may have been written in another.
        let read_as = versions[dice.index(versions.len())];
        if let Ok(again) = subject.decode(&mut mutated, read_as) {
            let twice = subject.decode(&mut again.clone(), read_as);
            assert_eq!(twice, Ok(again), "{} {read_as:?}", subject.name);
        }
    });
}

#[test]
fn no_header_panics_whatever_it_is_read_from() {
    for_every_seed(5_000, |dice| {
        let whole: Vec<u8> = (0..dice.index(60)).map(|_| dice.byte() & 0x2f).collect();
        let _ = RequestHeader::decode(&mut mutate(&whole, dice));
        let key = ApiKey::try_from(i16::from(dice.byte() % 93)).unwrap_or(ApiKey::Fetch);
        let version = i16::from(dice.byte() % 20);
        let _ = ResponseHeader::decode(&mut mutate(&whole, dice), key, version);
    });
}

#[test]
fn no_batch_panics_whatever_it_is_read_from() {
    for_every_seed(5_000, |dice| {
        let mut builder = BatchBuilder::new(Codec::ALL[dice.index(5)]);
        for at in 0..=dice.index(6) {
            let value: Vec<u8> = (0..dice.index(80)).map(|_| dice.byte() & 3).collect();
            let at = crate::Timestamp(i64::try_from(at).unwrap());
            builder.append(at, Some(b"key"), Some(&value), &[]).unwrap();
        }
        let mut bytes = mutate(&builder.build().unwrap(), dice).to_vec();
        // Half of them pass for undamaged, so that what is inside is looked at.
        if bytes.len() > CHECKSUM.end && dice.index(2) == 0 {
            let length = u32::try_from(bytes.len() - 12).unwrap();
            bytes[8..12].copy_from_slice(&length.to_be_bytes());
            let checksum = crc32c::crc32c(&bytes[CHECKSUM.end..]);
            bytes[CHECKSUM].copy_from_slice(&checksum.to_be_bytes());
        }
        if let Ok(batch) = Batch::split(&mut bytes.into())
            && let Ok(records) = batch.records(InflateLimit::default())
        {
            records.map_while(Result::ok).for_each(drop);
        }
    });
}

#[test]
fn no_codec_panics_or_inflates_beyond_its_limit() {
    let limit = InflateLimit { bytes_max: 1 << 16, ratio_max: 64 };
    for_every_seed(5_000, |dice| {
        let codec = Codec::ALL[dice.index(5)];
        let plain: Vec<u8> = (0..dice.index(600)).map(|_| dice.byte() & 7).collect();
        let compressed = mutate(&compress(codec.into(), &plain).unwrap(), dice);
        // Another codec's bytes are as good as any.
        let read_as = Codec::ALL[dice.index(5)];
        for codec in [codec, read_as] {
            if let Ok(inflated) = decompress(codec, &compressed, limit) {
                assert!(codec == Codec::None || inflated.len() <= limit.bytes_max);
            }
        }
    });
}

/// Where a batch has its checksum, which covers all behind it.
const CHECKSUM: std::ops::Range<usize> = 17..21;
