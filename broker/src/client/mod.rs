//! A small client of the protocol, for the command line and for other brokers.
//!
//! A broker's answer is input like any other: frames are bounded, nothing in them is trusted.

mod cluster;
mod connection;
mod consumer;
mod groups;
mod partitioner;
mod pipeline;
mod producer;
mod transactions;

use std::{io, time::Duration};

use milena_protocol::{ErrorCode, messages::ApiKey, wire::Malformed};

pub use cluster::{Cluster, OffsetAt};
pub use connection::Connection;
pub use consumer::{Consumed, Consumer, Start};
pub use groups::Committed;
pub use pipeline::{Prepared, Receiver, Sender};
pub use producer::{Outgoing, Producer, ProducerOptions, Sent};

/// Why a call did not give an answer.
#[derive(Debug)]
pub enum ClientError {
    /// No broker of the list accepted a connection.
    Unreachable { address: String, source: io::Error },
    /// The broker did not answer within the time given.
    TimedOut { address: String, after: Duration },
    /// The connection broke, or what came over it was no answer.
    Broken { address: String, source: io::Error },
    /// The answer could not be read.
    Malformed { api: ApiKey, source: Malformed },
    /// No version of the API is known to both sides.
    NoCommonVersion { api: ApiKey },
    /// The broker answered with an error.
    Refused { what: String, code: ErrorCode, message: Option<String> },
    /// The cluster has no such topic, partition or broker.
    Missing { what: String },
    /// What was to be sent cannot be.
    Unsendable { reason: String },
}

impl ClientError {
    fn refused(what: impl Into<String>, code: ErrorCode) -> Self {
        Self::Refused { what: what.into(), code, message: None }
    }

    /// Whether the same may be granted when it is asked for again.
    #[must_use]
    pub const fn is_retriable(&self) -> bool {
        matches!(self, Self::Refused { code, .. } if code.is_retriable())
    }

    /// Turns an error code of an answer into an error, with the broker's own words if it sent any.
    ///
    /// # Errors
    /// [`ClientError::Refused`] for every code but [`ErrorCode::None`].
    pub fn check(
        what: impl Into<String>,
        code: ErrorCode,
        message: Option<&str>,
    ) -> Result<(), Self> {
        if code == ErrorCode::None {
            return Ok(());
        }
        Err(Self::Refused { what: what.into(), code, message: message.map(str::to_owned) })
    }
}

impl std::fmt::Display for ClientError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Unreachable { address, source } => write!(f, "cannot reach {address}: {source}"),
            Self::TimedOut { address, after } => {
                write!(f, "no answer from {address} within {} ms", after.as_millis())
            }
            Self::Broken { address, source } => {
                write!(f, "connection to {address} broke: {source}")
            }
            Self::Malformed { api, source } => {
                write!(f, "cannot read the answer to {}: {source}", api.name())
            }
            Self::NoCommonVersion { api } => {
                write!(f, "the broker serves no version of {} that this client knows", api.name())
            }
            Self::Refused { what, code, message } => {
                let text = message.as_deref().unwrap_or_else(|| code.message());
                write!(f, "{what}: {} ({}): {text}", code.name(), *code as i16)
            }
            Self::Missing { what } => write!(f, "{what} does not exist"),
            Self::Unsendable { reason } => write!(f, "cannot send: {reason}"),
        }
    }
}

impl std::error::Error for ClientError {}

/// How long to wait before asking again what was answered with a retriable error.
pub const RETRY_AFTER: Duration = Duration::from_millis(100);
