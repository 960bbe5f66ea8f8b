//! Codecs of record batches, each with a bound on what may be inflated.
