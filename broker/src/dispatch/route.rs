//! One line of the table, and what it takes to get from bytes to its handler and back.

use std::{ops::RangeInclusive, sync::Arc};

use bytes::Bytes;
use milena_protocol::{
    ErrorCode,
    messages::ApiKey,
    wire::{Frame, FrameWriter, Malformed, Message, header::ResponseHeader},
};

use super::{Answer, Context, Refusal};
use crate::services::Services;

pub(super) struct Route {
    pub(super) key: ApiKey,
    pub(super) served: RangeInclusive<i16>,
    /// What clients are told: the same, unless the table says otherwise.
    pub(super) advertised: RangeInclusive<i16>,
    /// The last version, where those are served too that Kafka may still change.
    pub(super) unstable_last: i16,
    pub(super) start: fn(Arc<Services>, Context, i32, Bytes) -> Result<Answer, Malformed>,
}

/// What a handler returns: the response, or none where the client asked for none, or else what
/// went wrong that such a client can only learn by losing its connection.
pub(super) trait Response<R> {
    fn into_answer(self) -> Result<Option<R>, ErrorCode>;
}

impl<R: Message> Response<R> for R {
    fn into_answer(self) -> Result<Option<R>, ErrorCode> {
        Ok(Some(self))
    }
}

impl<R: Message> Response<R> for Result<Option<R>, ErrorCode> {
    fn into_answer(self) -> Self {
        self
    }
}

pub(super) fn finish<R: Message>(
    response: impl Response<R>,
    version: i16,
    correlation_id: i32,
) -> Result<Option<Frame>, Refusal> {
    match response.into_answer() {
        Ok(Some(response)) => encode(&response, R::KEY, version, correlation_id).map(Some),
        Ok(None) => Ok(None),
        Err(error) => Err(Refusal::FailedUnanswered { api: R::KEY, error }),
    }
}

pub(super) fn encode<R: Message>(
    response: &R,
    key: ApiKey,
    version: i16,
    correlation_id: i32,
) -> Result<Frame, Refusal> {
    let mut frame = FrameWriter::new();
    ResponseHeader { correlation_id }.encode(&mut frame, key, version);
    response.encode(&mut frame, R::version(version));
    let bytes = frame.len();
    frame.finish().map_err(|_| Refusal::AnswerTooLong { api: key, bytes })
}

/// The table. Each line is a request and the `async fn(&Arc<Services>, &Context, Request)` that
/// answers it, see [`Response`]. Served are the versions that the
/// message knows; `advertised` tells clients of others.
macro_rules! routes {
    ($($request:ident => $handler:path $(, advertised $advertised:expr)?;)*) => {
        pub(super) static ROUTES: &[$crate::dispatch::route::Route] = &[$(
            $crate::dispatch::route::Route {
                key: <$request as Message>::KEY,
                served: <$request as Message>::VERSIONS,
                advertised: $crate::dispatch::route::or_else!(
                    $($advertised)?; <$request as Message>::VERSIONS
                ),
                unstable_last: *<$request as Message>::KNOWN_VERSIONS.end(),
                start: |services, cx, correlation_id, body| {
                    let request = <$request as Request>::decode_request(body, cx.version)?;
                    Ok(Box::pin(async move {
                        let response = $handler(&services, &cx, request).await;
                        $crate::dispatch::route::finish::<<$request as Request>::Response>(
                            response,
                            cx.version,
                            correlation_id,
                        )
                    }))
                },
            },
        )*];
    };
}
pub(super) use routes;

macro_rules! or_else {
    (; $default:expr) => {
        $default
    };
    ($given:expr; $default:expr) => {
        $given
    };
}
pub(super) use or_else;
