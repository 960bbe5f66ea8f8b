//! Waiting without sleeping longer than needed.

use std::{
    thread,
    time::{Duration, Instant},
};

/// Looks until `condition` holds.
///
/// # Panics
/// If it does not within a minute.
pub fn wait_until(what: &str, condition: impl FnMut() -> bool) {
    wait_within(PATIENCE, what, condition);
}

/// The same for what may take longer.
///
/// # Panics
/// If it takes longer still.
#[expect(clippy::disallowed_methods, reason = "a test may ask how late it is")]
pub(crate) fn wait_within(patience: Duration, what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + patience;
    while !condition() {
        assert!(Instant::now() < deadline, "waited {patience:?} for: {what}");
        thread::sleep(Duration::from_millis(2));
    }
}

/// Far more than anything takes, even where many tests share a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);
/// A start may have a large log to check.
pub(crate) const START_PATIENCE: Duration = Duration::from_secs(900);
