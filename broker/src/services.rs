//! What handlers may call, in one struct.
