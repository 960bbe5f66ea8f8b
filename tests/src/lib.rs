//! What the tests of the whole share: the harness.

mod broker;
pub mod data;
pub mod history;
mod process;
mod raw;
mod volume;
mod wait;

pub use broker::{TestBroker, TestClock};
pub use process::{Process, Program};
pub use raw::{RawClient, frame, request_frame};
pub use volume::Volume;
pub use wait::wait_until;
