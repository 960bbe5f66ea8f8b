//! What holds for every message and every record in every version, shown by random values.

mod round_trip;
mod subject;
