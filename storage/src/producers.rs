//! What each idempotent producer wrote last, for detecting duplicates and gaps.
