//! Why a request is not answered at all.

use std::fmt;

use milena_protocol::{ErrorCode, messages::ApiKey, wire::Malformed};

/// What Kafka, too, answers by closing the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    BadHeader(Malformed),
    UnknownApi {
        api: i16,
    },
    UnsupportedVersion {
        api: ApiKey,
        version: i16,
    },
    BadBody {
        api: ApiKey,
        version: i16,
        fault: Malformed,
    },
    /// A request that wants no answer (produce with `acks=0`) failed.
    FailedUnanswered {
        api: ApiKey,
        error: ErrorCode,
    },
    /// The answer is longer than a frame can be.
    AnswerTooLong {
        api: ApiKey,
        bytes: usize,
    },
}

impl Refusal {
    /// The same for all of its kind, for a metric.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::BadHeader(_) => "bad_header",
            Self::UnknownApi { .. } => "unknown_api",
            Self::UnsupportedVersion { .. } => "unsupported_version",
            Self::BadBody { .. } => "bad_body",
            Self::FailedUnanswered { .. } => "failed_unanswered",
            Self::AnswerTooLong { .. } => "answer_too_long",
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BadHeader(fault) => write!(f, "the request's header {fault}"),
            Self::UnknownApi { api } => write!(f, "there is no API with key {api}"),
            Self::UnsupportedVersion { api, version } => {
                write!(f, "version {version} of {api} is not served")
            }
            Self::BadBody { api, version, fault } => {
                write!(f, "the body of {api} version {version} {fault}")
            }
            Self::FailedUnanswered { api, error } => {
                write!(f, "{api} wants no answer and failed: {}", error.message())
            }
            Self::AnswerTooLong { api, bytes } => {
                write!(f, "the answer to {api} has {bytes} bytes, more than a frame can")
            }
        }
    }
}
