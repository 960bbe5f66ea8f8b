//! What was encoded is decoded, and nothing but what was encoded.

use bytes::Bytes;

use super::subject;
use crate::wire::{Malformed, arbitrary::Seed};

#[test]
fn defaults_come_back() {
    for subject in subject::all() {
        for v in subject.versions() {
            let bytes = subject.encode_default(v);
            let mut src = bytes.clone();
            assert_eq!(subject.decode(&mut src, v), Ok(bytes), "{} {v:?}", subject.name);
            assert_eq!(src, Bytes::new(), "{} {v:?}", subject.name);
        }
    }
}

#[test]
fn random_values_come_back() {
    let mut seed = Seed(1);
    for subject in subject::all() {
        for v in subject.versions() {
            for _ in 0..ROUNDS {
                let at = seed.clone();
                assert!(subject.survives(&mut seed, v), "{} {v:?} {at:?}", subject.name);
            }
        }
    }
}

#[test]
fn every_truncation_is_an_error() {
    let mut seed = Seed(2);
    for subject in subject::all() {
        for v in subject.versions() {
            let whole = subject.encode_arbitrary(&mut seed, v);
            for length in 0..whole.len() {
                let outcome = subject.decode(&mut whole.slice(..length), v);
                assert!(
                    matches!(outcome, Err(Malformed::Truncated { .. })),
                    "{} {v:?} cut to {length} of {}: {outcome:?}",
                    subject.name,
                    whole.len()
                );
            }
        }
    }
}

/// librdkafka up to 2.1.0 cannot read the answer to ApiVersions otherwise.
#[test]
fn a_tagged_field_that_holds_its_default_is_not_written() {
    for subject in subject::all() {
        for v in subject.versions().filter(|v| v.flexible) {
            // The section of the outermost structure comes last.
            let bytes = subject.encode_default(v);
            assert_eq!(bytes.last(), Some(&0), "{} {v:?}", subject.name);
        }
    }
}

const ROUNDS: usize = 8;
