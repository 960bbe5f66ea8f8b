//! The one map from what went wrong inside to the number that clients are told. No arm is a
//! wildcard: a new kind of failure does not compile before it has its code.

use milena_protocol::ErrorCode;

/// An inner error that has a place on the wire.
pub trait Coded {
    fn code(&self) -> ErrorCode;
}

/// The code of an outcome: [`ErrorCode::None`] if it is one.
impl<T, E: Coded> Coded for Result<T, E> {
    fn code(&self) -> ErrorCode {
        match self {
            Ok(_) => ErrorCode::None,
            Err(error) => error.code(),
        }
    }
}
