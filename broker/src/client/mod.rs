//! A small client of the protocol, for the command line and for other brokers.
