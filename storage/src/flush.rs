//! Group commit: many waiters share one fdatasync.
