//! The only place that spawns tasks and threads.
