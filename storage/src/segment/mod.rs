//! One segment: a file of batches and its indexes.
