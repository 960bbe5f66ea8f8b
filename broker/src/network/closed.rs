//! Why a connection ended.

use std::{fmt, io};

use crate::dispatch::Refusal;

#[derive(Debug)]
pub(super) enum Closed {
    /// The peer has closed it, or it broke.
    ByPeer(Option<io::Error>),
    /// The broker is stopping.
    Stopping,
    BadLength {
        claimed: i32,
        max: usize,
    },
    /// The first bytes are another protocol's.
    NotKafka(Stranger),
    /// A frame began and did not end in time.
    HalfFrame {
        have: usize,
        want: usize,
    },
    Idle,
    Refused(Refusal),
    /// A handler failed in a way that it should not.
    Panicked,
}

/// Another protocol that people point at a broker by mistake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stranger {
    Http,
    Tls,
}

impl Closed {
    /// What a frame's length that cannot be one really is.
    pub(super) fn by_length(first: [u8; 4], max: usize) -> Self {
        match first {
            [0x16, 0x03, ..] => Self::NotKafka(Stranger::Tls),
            _ if HTTP_METHODS.contains(&&first) => Self::NotKafka(Stranger::Http),
            _ => Self::BadLength { claimed: i32::from_be_bytes(first), max },
        }
    }

    /// The same for all of its kind, for a metric; `None` for the ordinary ends.
    pub(super) fn label(&self) -> Option<&'static str> {
        match self {
            Self::ByPeer(_) | Self::Stopping => None,
            Self::BadLength { .. } => Some("bad_length"),
            Self::NotKafka(Stranger::Http) => Some("http"),
            Self::NotKafka(Stranger::Tls) => Some("tls"),
            Self::HalfFrame { .. } => Some("half_frame"),
            Self::Idle => Some("idle"),
            Self::Refused(refusal) => Some(refusal.label()),
            Self::Panicked => Some("panic"),
        }
    }
}

impl fmt::Display for Closed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ByPeer(None) => f.write_str("the peer closed it"),
            Self::ByPeer(Some(error)) => write!(f, "the connection broke: {error}"),
            Self::Stopping => f.write_str("the broker is stopping"),
            Self::BadLength { claimed, max } => {
                write!(f, "a frame of {claimed} bytes was announced, {max} are allowed")
            }
            Self::NotKafka(Stranger::Http) => {
                f.write_str("the peer speaks HTTP; this is a Kafka listener")
            }
            Self::NotKafka(Stranger::Tls) => {
                f.write_str("the peer speaks TLS; this listener is plaintext")
            }
            Self::HalfFrame { have, want } => {
                write!(f, "{have} of a frame's {want} bytes came, the rest not in time")
            }
            Self::Idle => f.write_str("nothing was sent or received for too long"),
            Self::Refused(refusal) => refusal.fmt(f),
            Self::Panicked => f.write_str("a handler panicked"),
        }
    }
}

const HTTP_METHODS: &[&[u8; 4]] =
    &[b"GET ", b"HEAD", b"POST", b"PUT ", b"DELE", b"OPTI", b"CONN", b"PATC", b"TRAC", b"PRI "];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strangers_are_known_by_their_first_bytes() {
        let label = |first: &[u8; 4]| Closed::by_length(*first, 100).label();
        assert_eq!(label(b"GET "), Some("http"));
        assert_eq!(label(&[0x16, 0x03, 0x01, 0x02]), Some("tls"));
        assert_eq!(label(&[0xff; 4]), Some("bad_length"));
    }
}
