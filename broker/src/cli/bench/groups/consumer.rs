//! A member of a group whose assignment the broker computes (KIP-848).

use milena_protocol::{
    ErrorCode,
    messages::{
        ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse,
        groups::consumer_group_heartbeat::TopicPartitions,
    },
    wire::Str,
};

use super::{REBALANCE_MS, RETRY_AFTER, Seat, Standing};
use crate::clock::{Rng, SystemRng};

/// Joins under a new id.
pub(super) async fn join(seat: &mut Seat) -> anyhow::Result<()> {
    loop {
        seat.member_id = SystemRng.uuid().to_string().into();
        seat.generation = JOINING;
        seat.partitions.clear();
        let request = ConsumerGroupHeartbeatRequest {
            rebalance_timeout_ms: REBALANCE_MS,
            subscribed_topic_names: Some(vec![seat.topic.name.as_str().into()]),
            topic_partitions: Some(Vec::new()),
            ..beat(seat)
        };
        let answer = seat.connection.call(&request).await?;
        match answer.error_code {
            ErrorCode::None => {
                take(seat, answer);
                return Ok(());
            }
            code if code.is_retriable() => tokio::time::sleep(RETRY_AFTER).await,
            code => {
                seat.standing("join", code)?;
            }
        }
    }
}

/// Tells what the member has, if it was given anything else since.
pub(super) async fn heartbeat(seat: &mut Seat) -> anyhow::Result<Standing> {
    let mut request = beat(seat);
    loop {
        let answer = seat.connection.call(&request).await?;
        let standing = seat.standing("heartbeat", answer.error_code)?;
        if standing == Standing::MustJoin || answer.assignment.is_none() {
            if standing == Standing::Stays {
                take(seat, answer);
            }
            return Ok(standing);
        }
        take(seat, answer);
        let owned =
            TopicPartitions { topic_id: seat.topic.id, partitions: seat.partitions.clone() };
        request =
            ConsumerGroupHeartbeatRequest { topic_partitions: Some(vec![owned]), ..beat(seat) };
    }
}

fn beat(seat: &Seat) -> ConsumerGroupHeartbeatRequest {
    ConsumerGroupHeartbeatRequest {
        group_id: seat.group.clone(),
        member_id: seat.member_id.clone(),
        member_epoch: seat.generation,
        ..ConsumerGroupHeartbeatRequest::default()
    }
}

fn take(seat: &mut Seat, answer: ConsumerGroupHeartbeatResponse) {
    seat.generation = answer.member_epoch;
    if let Some(id) = answer.member_id {
        seat.member_id = Str::from(id.as_str());
    }
    if let Some(assignment) = answer.assignment {
        let assigned = assignment.topic_partitions.into_iter();
        seat.partitions = assigned.flat_map(|it| it.partitions).collect();
    }
}

const JOINING: i32 = 0;
