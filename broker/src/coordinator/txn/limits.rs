//! What the broker's settings, and the features of the cluster, allow transactions.

use std::sync::{
    Arc,
    atomic::{AtomicI16, Ordering},
};

use super::Level;
use crate::config::BrokerConfig;

/// See the settings of the same names.
#[derive(Clone, Debug)]
pub struct Limits {
    pub max_timeout_ms: i32,
    pub two_phase_commit: bool,
    pub id_expiration_ms: i64,
    pub expiration_check_ms: i64,
    /// What the cluster has agreed on; it may change at any time.
    level: Arc<AtomicI16>,
}

impl Limits {
    #[must_use]
    pub fn from_config(config: &BrokerConfig) -> Self {
        let transactions = &config.transactions;
        Self {
            max_timeout_ms: transactions.max_timeout_ms,
            two_phase_commit: transactions.two_phase_commit,
            id_expiration_ms: i64::from(transactions.id_expiration_ms),
            expiration_check_ms: i64::from(transactions.expiration_check_interval_ms),
            level: Arc::default(),
        }
    }

    #[must_use]
    pub fn level(&self) -> Level {
        Level::from_number(self.level.load(Ordering::Acquire))
    }

    pub fn set_level(&self, level: Level) {
        self.level.store(level.number(), Ordering::Release);
    }

    /// Whether a client may have its transactions aborted after so long.
    #[must_use]
    pub const fn allows_timeout(&self, timeout_ms: i32) -> bool {
        0 < timeout_ms && timeout_ms <= self.max_timeout_ms
    }
}
