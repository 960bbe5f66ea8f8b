//! JoinGroup v0-9. v1 adds a time-out for rebalances, v4 has new members come twice (KIP-394), v5
//! adds static members (KIP-345), v8 a reason, which is not kept (KIP-800), v9 tells a leader when
//! there is nothing to assign (KIP-814). Left out: nothing.

use std::sync::Arc;

use milena_protocol::{
    ErrorCode, Uuid,
    messages::{JoinGroupRequest, JoinGroupResponse},
    wire::Str,
};

use super::failure;
use crate::{
    coordinator::group::{Joiner, Reply, Request},
    handlers::Context,
    services::Services,
};

pub async fn join_group(
    services: &Arc<Services>,
    cx: &Context,
    r: JoinGroupRequest,
) -> JoinGroupResponse {
    // What waits for other members is not to hold the frame of its request.
    let member_id = r.member_id.detached();
    let refused =
        |error_code| JoinGroupResponse { error_code, member_id, ..JoinGroupResponse::default() };
    let limits = services.groups.limits();
    let allowed = limits.session_timeout_min_ms..=limits.session_timeout_max_ms;
    if r.group_id.is_empty() {
        return refused(ErrorCode::InvalidGroupId);
    }
    if !allowed.contains(&r.session_timeout_ms) {
        return refused(ErrorCode::InvalidSessionTimeout);
    }
    let id = services.rng.uuid();
    let joiner = Joiner {
        client_id: cx.client_id.clone().unwrap_or_default(),
        client_host: Str::from(format!("/{}", cx.peer.host())),
        unique: hyphenated(id),
        plain_id: Str::from(id.to_string()),
        joins_twice: cx.version >= JOINS_TWICE_FROM,
        can_skip_assignment: cx.version >= SKIPS_FROM,
    };
    let group_id = r.group_id.clone();
    let asked = services.groups.ask(&group_id, Request::Join(r, joiner));
    drop(group_id);
    match asked.await {
        Ok(Reply::Join(response)) => response,
        other => refused(failure(&other)),
    }
}

/// An id as other software writes it: 32 hexadecimal digits in five groups.
fn hyphenated(id: Uuid) -> String {
    let digits = format!("{:032x}", u128::from_be_bytes(id.0));
    let mut text = String::with_capacity(36);
    for (at, digit) in digits.chars().enumerate() {
        if matches!(at, 8 | 12 | 16 | 20) {
            text.push('-');
        }
        text.push(digit);
    }
    text
}

const JOINS_TWICE_FROM: i16 = 4;
const SKIPS_FROM: i16 = 9;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_has_five_groups_of_digits() {
        let id = Uuid([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 255]);
        assert_eq!(hyphenated(id), "00010203-0405-0607-0809-0a0b0c0d0eff");
    }
}
