//! Small text files that are replaced whole: temporary file, fsync, rename, fsync of the directory.
