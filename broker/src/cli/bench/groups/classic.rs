//! A member of a classic group. Its leader deals the partitions out in turn.

use std::time::Duration;

use super::{REBALANCE_MS, RETRY_AFTER, Seat, Standing};
use anyhow::Context;
use bytes::{Buf, BufMut, Bytes};
use milena_protocol::{
    ErrorCode,
    messages::{
        HeartbeatRequest, JoinGroupRequest, JoinGroupResponse, SyncGroupRequest,
        groups::{join_group::JoinGroupRequestProtocol, sync_group::SyncGroupRequestAssignment},
    },
    state::consumer_protocol::{
        AssignedPartition, ConsumerProtocolAssignment, ConsumerProtocolSubscription,
    },
    wire::{FrameWriter, Record, Str},
};

/// Joins until the group is stable with this member in it.
pub(super) async fn join(seat: &mut Seat) -> anyhow::Result<()> {
    loop {
        let joined = ask_in(seat).await?;
        match joined.error_code {
            ErrorCode::None => {}
            ErrorCode::MemberIdRequired => {
                seat.member_id = joined.member_id;
                continue;
            }
            ErrorCode::UnknownMemberId => {
                seat.member_id = Str::default();
                continue;
            }
            code if code.is_retriable() => {
                tokio::time::sleep(RETRY_AFTER).await;
                continue;
            }
            code => {
                seat.standing("join", code)?;
                continue;
            }
        }
        seat.member_id = joined.member_id.clone();
        seat.generation = joined.generation_id;
        let request = SyncGroupRequest {
            group_id: seat.group.clone(),
            generation_id: seat.generation,
            member_id: seat.member_id.clone(),
            protocol_type: Some(Str::from_static(PROTOCOL_TYPE)),
            protocol_name: joined.protocol_name.clone(),
            assignments: assignments(seat, &joined),
            ..SyncGroupRequest::default()
        };
        let held = Duration::from_millis(REBALANCE_MS.unsigned_abs().into());
        let synced = seat.connection.call_held(&request, held).await?;
        if seat.standing("sync", synced.error_code)? == Standing::Stays {
            seat.partitions = partitions_of(synced.assignment)?;
            return Ok(());
        }
    }
}

pub(super) async fn heartbeat(seat: &mut Seat) -> anyhow::Result<Standing> {
    let request = HeartbeatRequest {
        group_id: seat.group.clone(),
        generation_id: seat.generation,
        member_id: seat.member_id.clone(),
        ..HeartbeatRequest::default()
    };
    let answer = seat.connection.call(&request).await?;
    seat.standing("heartbeat", answer.error_code)
}

async fn ask_in(seat: &mut Seat) -> anyhow::Result<JoinGroupResponse> {
    let subscription = ConsumerProtocolSubscription {
        topics: vec![seat.topic.name.as_str().into()],
        ..ConsumerProtocolSubscription::default()
    };
    let request = JoinGroupRequest {
        group_id: seat.group.clone(),
        session_timeout_ms: SESSION_MS,
        rebalance_timeout_ms: REBALANCE_MS,
        member_id: seat.member_id.clone(),
        protocol_type: Str::from_static(PROTOCOL_TYPE),
        protocols: vec![JoinGroupRequestProtocol {
            name: Str::from_static("bench"),
            metadata: versioned(&subscription),
        }],
        ..JoinGroupRequest::default()
    };
    let held = Duration::from_millis(REBALANCE_MS.unsigned_abs().into());
    Ok(seat.connection.call_held(&request, held).await?)
}

/// What the leader brings; nobody else sees the members.
fn assignments(seat: &Seat, joined: &JoinGroupResponse) -> Vec<SyncGroupRequestAssignment> {
    let partitions = seat.topic.partitions();
    let count = joined.members.len();
    let members = joined.members.iter().enumerate();
    members
        .map(|(at, member)| {
            let dealt = partitions.iter().skip(at).step_by(count.max(1)).map(|it| it.index);
            let assigned = AssignedPartition {
                topic: seat.topic.name.as_str().into(),
                partitions: dealt.collect(),
            };
            let assignment = ConsumerProtocolAssignment {
                assigned_partitions: vec![assigned],
                ..ConsumerProtocolAssignment::default()
            };
            let member_id = member.member_id.clone();
            SyncGroupRequestAssignment { member_id, assignment: versioned(&assignment) }
        })
        .collect()
}

fn versioned<R: Record>(record: &R) -> Bytes {
    let mut writer = FrameWriter::new();
    writer.buf().put_i16(VERSION);
    record.encode(&mut writer, R::version(VERSION));
    writer.into_bytes()
}

fn partitions_of(mut assignment: Bytes) -> anyhow::Result<Vec<i32>> {
    if assignment.is_empty() {
        return Ok(Vec::new());
    }
    let version = assignment.try_get_i16().context("read an assignment")?;
    let assigned = ConsumerProtocolAssignment::decode_body(assignment, version)?;
    Ok(assigned.assigned_partitions.into_iter().flat_map(|it| it.partitions).collect())
}

const PROTOCOL_TYPE: &str = "consumer";
const VERSION: i16 = 0;
const SESSION_MS: i32 = 45_000;
