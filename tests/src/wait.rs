//! Waiting without sleeping longer than needed.

use std::{
    thread,
    time::{Duration, Instant},
};

/// Looks until `condition` holds.
///
/// # Panics
/// If it does not within `limit`.
#[expect(clippy::disallowed_methods, reason = "a test may ask how late it is")]
pub fn wait_until(limit: Duration, what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + limit;
    while !condition() {
        assert!(Instant::now() < deadline, "waited {limit:?} for: {what}");
        thread::sleep(Duration::from_millis(2));
    }
}
