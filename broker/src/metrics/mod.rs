//! Counters and gauges, and their names.
