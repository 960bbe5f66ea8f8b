//! Everything that a peer could want too much of, and how much it gets.

use std::time::Duration;

use crate::config::BrokerConfig;

/// What the configuration decides. The rest are constants below.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    pub connections: usize,
    pub connections_per_address: usize,
    /// The longest frame, without its length.
    pub frame_bytes: usize,
    /// All frames that are arriving or being handled, on all connections.
    pub held_bytes: usize,
    /// `None`: a silent connection stays.
    pub idle: Option<Duration>,
    /// By when each further `HALF_FRAME_PROGRESS_BYTES` of a frame must have come.
    pub half_frame: Duration,
}

impl Limits {
    #[must_use]
    pub fn from_config(config: &BrokerConfig) -> Self {
        let count = |limit: i32| usize::try_from(limit).unwrap_or(0);
        Self {
            connections: count(config.max_connections),
            connections_per_address: count(config.max_connections_per_ip),
            frame_bytes: count(config.socket_request_max_bytes),
            // Negative is without limit.
            held_bytes: usize::try_from(config.queued_max_request_bytes).unwrap_or(usize::MAX),
            idle: u64::try_from(config.connections_max_idle_ms).ok().map(Duration::from_millis),
            half_frame: HALF_FRAME_TIMEOUT,
        }
    }

    /// No more connections than leave logs the files that they need. `descriptors` is how many the
    /// system allows this process, `None` for any number.
    #[must_use]
    pub fn within(self, descriptors: Option<u64>) -> Self {
        let share = descriptors.map_or(u64::MAX, |all| all - all / FILES_SHARE);
        Self {
            connections: self.connections.min(usize::try_from(share).unwrap_or(usize::MAX)),
            ..self
        }
    }

    /// How many files logs may have open at a time: what such connections leave of all
    /// descriptors, but for a reserve.
    #[must_use]
    pub fn files(self, descriptors: Option<u64>) -> usize {
        let all = usize::try_from(descriptors.unwrap_or(u64::MAX)).unwrap_or(usize::MAX);
        let left = all.saturating_sub(self.within(descriptors).connections);
        (left - left / RESERVE_SHARE).max(FILES_MIN)
    }
}

/// One part in so many of all file descriptors is not for connections.
const FILES_SHARE: u64 = 4;

/// Of what is left for files, one part in so many is for those that are not logs', and for logs'
/// files that were closed while they are still being sent.
const RESERVE_SHARE: usize = 8;
const FILES_MIN: usize = 64;

/// Requests of one connection that are not answered yet. Clients have 5 by default; some pipeline
/// without end.
pub(super) const IN_FLIGHT_REQUESTS_MAX: usize = 128;

/// How often one connection may fill that and go on before it is the turn of others.
pub(super) const TURNS_MAX: usize = 4;

/// Answers of one connection that are in memory and wait for those before them, or for the peer
/// to read. Files do not count.
pub(super) const UNSENT_BYTES_MAX: usize = 1 << 20;

/// Answers that are there together leave together, up to this.
pub(super) const GATHERED_BYTES_MAX: usize = 256 << 10;

/// Frames up to this are not counted against the memory of all: there are few of one connection,
/// and those that keep a client alive get through where large ones have to wait.
pub(super) const UNCOUNTED_BYTES_MAX: usize = 4 << 10;

/// What a connection reads at a time: it begins small and grows while reads fill it.
pub(super) const READ_BYTES_MIN: usize = 16 << 10;
pub(super) const READ_BYTES_MAX: usize = 128 << 10;

/// How far a frame's buffer may be ahead of what has come of the frame.
pub(super) const GROWTH_FACTOR: usize = 4;

const HALF_FRAME_TIMEOUT: Duration = Duration::from_secs(30);
pub(super) const HALF_FRAME_PROGRESS_BYTES: usize = 64 << 10;

/// How long a listener waits after the system could not give it a connection, as when no file
/// descriptor is left.
pub(super) const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_a_quarter_of_all_descriptors_to_files() {
        let limits = Limits::from_config(&BrokerConfig::from_settings(Default::default()).unwrap());
        let connections = |descriptors| limits.within(descriptors).connections;
        assert_eq!(connections(Some(1024)), 768);
        assert_eq!(connections(None), limits.connections);
        assert_eq!(Limits { connections: 5, ..limits }.within(Some(1024)).connections, 5);
        assert_eq!(limits.files(Some(20_000)), 4375);
        assert_eq!(Limits { connections: 1000, ..limits }.files(Some(20_000)), 16_625);
        assert_eq!(limits.files(Some(10)), FILES_MIN);
    }
}
