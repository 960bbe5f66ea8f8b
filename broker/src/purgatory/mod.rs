//! Operations that wait for something or for their time to run out, on a hierarchical timing wheel.
