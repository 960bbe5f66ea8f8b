//! The principal inside a forwarded request (KIP-590).

use crate::wire::{Str, record};

record! {
    versions 0, flexible 0+, DefaultPrincipalData;

    /// The principal inside a forwarded request.
    struct DefaultPrincipalData {
        0+ r#type: Str,
        0+ name: Str,
        0+ token_authenticated: bool,
    }
}
