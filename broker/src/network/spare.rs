//! One buffer for each thread, for whichever of its connections reads next.
//!
//! Connections that take small requests one at a time go through the same memory over and over,
//! while none that waits holds any.

use std::cell::Cell;

use bytes::BytesMut;

/// An empty buffer with room for so many bytes.
pub(super) fn take(bytes: usize) -> BytesMut {
    let mut buffer = SPARE.take();
    // Takes the same memory again if no frame that was cut from it is left.
    buffer.reserve(bytes);
    buffer
}

/// Leaves an empty buffer to the next that takes one. Its memory stays, all of it, until then: not
/// for what a large frame needed.
pub(super) fn leave(buffer: BytesMut) {
    SPARE.set(buffer);
}

thread_local! {
    static SPARE: Cell<BytesMut> = Cell::new(BytesMut::new());
}

#[cfg(test)]
mod tests {
    use bytes::BufMut;

    use super::*;

    #[test]
    fn memory_is_taken_again_once_nobody_holds_a_part_of_it() {
        let mut buffer = take(1000);
        let place = buffer.as_ptr();
        buffer.put_slice(b"frame");
        let frame = buffer.split().freeze();
        leave(buffer);
        let other = take(1000);
        assert_ne!(other.as_ptr(), place, "the frame is still there");
        drop(frame);

        let mut buffer = take(1000);
        let place = buffer.as_ptr();
        buffer.put_slice(b"frame");
        drop(buffer.split().freeze());
        leave(buffer);
        assert_eq!(take(1000).as_ptr(), place);
    }
}
