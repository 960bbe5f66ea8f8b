//! What holds for every message and every record in every version, shown by random values.

mod against_kafka;
mod against_kafka_protocol;
mod fuzz;
mod hostile;
mod round_trip;
mod subject;
