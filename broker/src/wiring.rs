//! Puts the services together, starts and stops them.
