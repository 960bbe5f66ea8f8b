//! Who may commit and read the offsets of a consumer group.

use milena_protocol::{ErrorCode, Uuid};

use super::{Group, member::Member};

impl Group {
    /// Whether a member may commit for these partitions. One whose heartbeat is on its way may name
    /// an epoch that is over, if it has had the partitions all along. `speaks_epochs`: the request's
    /// version knows that members have epochs.
    pub(in crate::coordinator::group) fn check_commit(
        &self,
        id: &str,
        epoch: i32,
        speaks_epochs: bool,
        mut partitions: impl Iterator<Item = (Uuid, i32)>,
    ) -> Result<(), ErrorCode> {
        // A tool, or a consumer that needs no group, may commit while there are no members.
        if epoch < 0 && self.members.is_empty() {
            return Ok(());
        }
        let member = self.members.get(id).ok_or(ErrorCode::UnknownMemberId)?;
        if !speaks_epochs && member.about.classic.is_none() {
            return Err(ErrorCode::UnsupportedVersion);
        }
        let had_it = |(topic, index)| {
            member.given_in(topic, index).is_some_and(|given_in| given_in <= epoch)
        };
        if epoch < member.epoch && partitions.all(had_it) {
            return Ok(());
        }
        check_epoch(member, epoch)
    }

    /// Whoever does not say who it is may read.
    pub(in crate::coordinator::group) fn check_fetch(
        &self,
        id: Option<&str>,
        epoch: i32,
    ) -> Result<(), ErrorCode> {
        if id.is_none() && epoch < 0 {
            return Ok(());
        }
        let member = self.members.get(id.unwrap_or_default());
        check_epoch(member.ok_or(ErrorCode::UnknownMemberId)?, epoch)
    }
}

fn check_epoch(member: &Member, epoch: i32) -> Result<(), ErrorCode> {
    match member.about.classic {
        _ if epoch == member.epoch => Ok(()),
        Some(_) => Err(ErrorCode::IllegalGeneration),
        None => Err(ErrorCode::StaleMemberEpoch),
    }
}
