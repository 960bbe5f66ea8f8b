//! One function of a request for each API.
