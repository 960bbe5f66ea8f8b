//! Waiting without sleeping longer than needed.

use std::{
    thread,
    time::{Duration, Instant},
};

/// Looks until `condition` holds.
///
/// # Panics
/// If it does not within a minute.
#[expect(clippy::disallowed_methods, reason = "a test may ask how late it is")]
pub fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < deadline, "waited {PATIENCE:?} for: {what}");
        thread::sleep(Duration::from_millis(2));
    }
}

/// Far more than anything takes, even where many tests share a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);
