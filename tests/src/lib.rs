//! What the tests of the whole share: the harness.

mod broker;
mod raw;
mod wait;

pub use broker::{TestBroker, TestClock};
pub use raw::{RawClient, frame, request_frame};
pub use wait::wait_until;
