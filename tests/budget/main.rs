//! What one request costs in counted work, held against a budget. Counts do not depend on how fast
//! or how busy the machine is; a change that makes them rise has to say so here.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may fail by panicking")]

mod allocations;
mod counting;
