//! Offsets do not stay for ever: `offsets.retention.minutes` after nobody needs them they go, and
//! with its last one an empty group. What an open transaction may change stays until it ends.

use std::sync::Arc;

use milena_protocol::{Timestamp, wire::Str};

use super::{CLEANUP_BYTES, Committed, tombstone};
use crate::coordinator::{
    group::{
        Groups, Limits,
        classic::State,
        kind::{Group, Kind},
    },
    runtime::Turn,
};

/// Drops what is too old in every group, and the empty groups that have nothing left. False if
/// there is more of it than is written at once.
pub(in crate::coordinator::group) fn expire(
    groups: &mut Groups,
    limits: &Limits,
    turn: &mut Turn<Groups>,
) -> bool {
    let enough = turn.bytes() + CLEANUP_BYTES;
    let ids: Vec<Str> = groups.groups.keys().cloned().collect();
    for id in ids {
        if turn.bytes() >= enough {
            return false;
        }
        let Some(group) = groups.groups.get(&id) else { continue };
        let old = expired(group, limits.retention_ms, turn.now.wall);
        if !old.is_empty() {
            let Some(group) = groups.find_mut(&id) else { continue };
            for (topic, partition) in old {
                if turn.bytes() >= enough {
                    return false;
                }
                turn.write(tombstone(&id, &topic, partition));
                group.offsets.remove(&topic, partition);
            }
        }
        let has_nothing = |group: &&Arc<Group>| group.offsets.is_empty() && group.is_empty();
        if let Some(group) = groups.groups.get(&id).filter(has_nothing) {
            for record in group.tombstones() {
                turn.write(record);
            }
            groups.groups.remove(&id);
        }
    }
    true
}

/// From when on an offset's age counts.
enum Since {
    Commit,
    /// The group's last member left.
    Empty(Timestamp),
    /// The group is at work, or about to be.
    Never,
}

fn expired(group: &Group, retention_ms: i64, now: Timestamp) -> Vec<(Str, i32)> {
    let subscribed = group.subscribed_topics();
    let since = match &group.kind {
        Kind::Consumer(_) => Since::Commit,
        Kind::Classic(classic) => match (&classic.protocol_type, classic.state, &subscribed) {
            (None, ..) => Since::Commit,
            (Some(_), State::Empty, _) => classic.since.map_or(Since::Commit, Since::Empty),
            (Some(_), State::Stable, Some(_)) => Since::Commit,
            _ => Since::Never,
        },
    };
    let subscribed = subscribed.unwrap_or_default();
    let is_old = |committed: &Committed| match (committed.expires_at, &since) {
        (_, Since::Never) => false,
        (Some(expires_at), _) => now >= expires_at,
        (None, Since::Commit) => now.0.saturating_sub(committed.at.0) >= retention_ms,
        (None, Since::Empty(since)) => now.0.saturating_sub(since.0) >= retention_ms,
    };
    let offsets = &group.offsets;
    let unread = offsets.committed.iter().filter(|(topic, _)| !subscribed.contains(*topic));
    unread
        .flat_map(|(topic, of_topic)| of_topic.iter().map(move |one| (topic, one)))
        .filter(|(_, (_, committed))| is_old(committed))
        .map(|(topic, (&partition, _))| (topic.clone(), partition))
        // The end of the transaction would leave a younger one behind.
        .filter(|(topic, partition)| !offsets.is_pending(topic, *partition))
        .collect()
}
