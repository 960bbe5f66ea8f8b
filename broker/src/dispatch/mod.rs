//! From a frame to a handler and back to a frame: the table of all APIs.
