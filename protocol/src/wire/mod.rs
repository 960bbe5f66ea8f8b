//! The notation that every versioned structure is written in, and the machinery behind it.

mod frame;

pub use frame::{Chunk, Frame, FrameWriter, Range, Source};
