//! The cluster's state as an immutable image, built from a log of versioned records.
