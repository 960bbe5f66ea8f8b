//! Reads a directory whole and names everything in it that is not as it should be.
