//! Requests and responses of every API, by family.
