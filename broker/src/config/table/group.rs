//! Settings of a group.

use crate::config::{Key, Kind, Unit, Update, Valid};

pub(super) const KEYS: &[Key] = &[
    Key {
        name: "consumer.assignment.interval.ms",
        default: Some("1000"),
        synonyms: &[("group.consumer.assignment.interval.ms", Unit::Same)],
        doc: "How long at least lies between two computations of the assignment, if the group has \
              more than one member.",
        ..GROUP
    },
    Key {
        name: "consumer.heartbeat.interval.ms",
        default: Some("5000"),
        valid: Valid::AtLeast(1),
        synonyms: &[("group.consumer.heartbeat.interval.ms", Unit::Same)],
        doc: "How often members are told to send heartbeats.",
        ..GROUP
    },
    Key {
        name: "consumer.session.timeout.ms",
        default: Some("45000"),
        valid: Valid::AtLeast(1),
        synonyms: &[("group.consumer.session.timeout.ms", Unit::Same)],
        doc: "How long a member may be silent before it counts as gone.",
        ..GROUP
    },
];

const GROUP: Key = Key {
    name: "",
    kind: Kind::Int,
    default: None,
    valid: Valid::AtLeast(0),
    update: Update::ClusterWide,
    synonyms: &[],
    inert: None,
    doc: "",
};
