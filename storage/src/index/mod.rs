//! Sparse maps from offset and from time to a position in a segment.
