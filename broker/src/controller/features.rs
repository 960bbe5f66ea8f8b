//! Features that the whole cluster agrees on (KIP-584).

use std::collections::BTreeSet;

use milena_protocol::{state::metadata::FeatureLevelRecord, wire::Str};

use super::{Refusal, View};
use crate::metadata::MetadataRecord;

/// A feature of this release, and the levels that it can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SupportedFeature {
    pub name: &'static str,
    pub min: i16,
    pub max: i16,
}

/// Which records may stand in the metadata log: those of Kafka 4.0, for a start.
pub const SUPPORTED_FEATURES: &[SupportedFeature] = &[
    // The consumer protocol (KIP-848).
    SupportedFeature { name: "group.version", min: 0, max: 1 },
    SupportedFeature { name: "metadata.version", min: 25, max: 25 },
    // 1 brings tagged fields in the records of transactions, 2 an epoch for each (KIP-890).
    SupportedFeature { name: "transaction.version", min: 0, max: 2 },
];

/// A level that somebody wants a feature to have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FeatureUpdate {
    pub name: Str,
    pub level: i16,
    /// 1 raises, 2 lowers if nothing is lost, 3 lowers whatever is lost.
    pub upgrade_type: i8,
}

/// All of `updates`, or the reason why none: the first one that cannot be done.
pub(super) fn update(
    view: &View<'_>,
    updates: &[FeatureUpdate],
    validate_only: bool,
) -> (Vec<MetadataRecord>, Result<(), Refusal>) {
    let mut seen = BTreeSet::new();
    let mut records = Vec::new();
    for update in updates {
        let checked = match seen.insert(update.name.clone()) {
            true => check(view, update),
            false => Err(Refusal::Twice("feature")),
        };
        match checked {
            Ok(record) => records.extend(record),
            Err(refusal) => return (Vec::new(), Err(refusal)),
        }
    }
    if validate_only {
        records.clear();
    }
    (records, Ok(()))
}

/// The levels that a new cluster begins with.
pub(super) fn bootstrap() -> impl Iterator<Item = MetadataRecord> {
    SUPPORTED_FEATURES.iter().map(|feature| level(feature, feature.max))
}

fn check(view: &View<'_>, update: &FeatureUpdate) -> Result<Option<MetadataRecord>, Refusal> {
    let name = update.name.to_string();
    if !(1..=3).contains(&update.upgrade_type) {
        return Err(Refusal::UnknownUpgrade { name });
    }
    let known = SUPPORTED_FEATURES.iter().find(|feature| feature.name == name);
    let Some(feature) = known else { return Err(Refusal::UnknownFeature { name }) };
    let (asked, min, max) = (update.level, feature.min, feature.max);
    if !(min..=max).contains(&asked) {
        return Err(Refusal::FeatureLevel { name, asked, min, max });
    }
    // A feature that has no level is at 0.
    let found = view.image.features().find(|(known, _)| *known == &update.name);
    let now = found.map_or(0, |(_, level)| level);
    let raises = update.upgrade_type == RAISES;
    if (asked < now && raises) || (asked > now && !raises) {
        return Err(Refusal::FeatureDirection { name, asked, now });
    }
    Ok((asked != now).then(|| level(feature, asked)))
}

fn level(feature: &SupportedFeature, feature_level: i16) -> MetadataRecord {
    FeatureLevelRecord { name: Str::from_static(feature.name), feature_level }.into()
}

/// The type of upgrade that may raise a level; the others may lower it.
const RAISES: i8 = 1;
