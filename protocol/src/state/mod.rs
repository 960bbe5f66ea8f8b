//! Records of the internal topics and of the metadata log, in the same notation as the messages.
