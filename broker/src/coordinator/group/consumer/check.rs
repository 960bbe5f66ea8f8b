//! What a heartbeat may say, whatever state the group is in.

use std::fmt;

use milena_protocol::{ErrorCode, messages::ConsumerGroupHeartbeatRequest, wire::Str};

use super::member::AWAY;
use crate::coordinator::group::Limits;

/// Why a request about a consumer group is not done, and what to tell whoever asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    pub code: ErrorCode,
    pub message: String,
}

impl Refused {
    pub(super) fn new(code: ErrorCode, message: impl fmt::Display) -> Self {
        Self { code, message: message.to_string() }
    }
}

/// # Errors
/// The request contradicts itself, or asks for what there is not.
pub(in crate::coordinator::group) fn check(
    r: &ConsumerGroupHeartbeatRequest,
    limits: &Limits,
) -> Result<(), Refused> {
    let invalid = |message: &str| Err(Refused::new(ErrorCode::InvalidRequest, message));
    let is_empty = |text: &Option<Str>| text.as_ref().is_some_and(|text| text.is_empty());
    if r.member_id.is_empty() {
        return invalid("MemberId can't be empty.");
    }
    if r.group_id.is_empty() {
        return invalid("GroupId can't be empty.");
    }
    if is_empty(&r.instance_id) {
        return invalid("InstanceId can't be empty.");
    }
    if is_empty(&r.rack_id) {
        return invalid("RackId can't be empty.");
    }
    match r.member_epoch {
        0 => {
            if r.rebalance_timeout_ms == -1 {
                return invalid("RebalanceTimeoutMs must be provided in first request.");
            }
            if r.topic_partitions.as_ref().is_none_or(|owned| !owned.is_empty()) {
                return invalid("TopicPartitions must be empty when (re-)joining.");
            }
            if r.subscribed_topic_names.is_none() && r.subscribed_topic_regex.is_none() {
                return invalid(
                    "Either SubscribedTopicNames or SubscribedTopicRegex must be non-null when \
                     (re-)joining.",
                );
            }
        }
        AWAY if r.instance_id.is_none() => return invalid("InstanceId can't be null."),
        AWAY.. => {}
        _ => return invalid("MemberEpoch is invalid."),
    }
    check_assignor(r, limits)
}

fn check_assignor(r: &ConsumerGroupHeartbeatRequest, limits: &Limits) -> Result<(), Refused> {
    let Some(name) = &r.server_assignor else { return Ok(()) };
    let supported: Vec<&str> =
        limits.consumer.assignors.iter().map(|assignor| assignor.name()).collect();
    if supported.contains(&name.as_str()) {
        return Ok(());
    }
    let message = format!(
        "ServerAssignor {name} is not supported. Supported assignors: {}.",
        supported.join(", ")
    );
    Err(Refused::new(ErrorCode::UnsupportedAssignor, message))
}
