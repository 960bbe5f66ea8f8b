//! All logs of one directory.
