//! One partition's log: segments in order, appended at one end and deleted at the other.
