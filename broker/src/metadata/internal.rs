//! The topics that brokers keep their own state in, and what nobody can change about them.

use std::borrow::Cow;

use crate::config::{FlushPolicy, Settings};

/// Whether the topic is one that brokers keep their own state in.
#[must_use]
pub fn is_internal(name: &str) -> bool {
    INTERNAL.contains(&name)
}

/// The settings of the topic called `name`, of which these are its `overrides`. What a coordinator
/// has written is a decision, and others act on it: where it could be lost in a crash, one
/// transaction could be committed in one place and aborted in another.
#[must_use]
pub fn settings_in_force<'a>(name: &str, overrides: &'a Settings) -> Cow<'a, Settings> {
    let mut settings = Cow::Borrowed(overrides);
    if is_internal(name) {
        let policy = FlushPolicy::Ack.name().to_owned();
        settings.to_mut().insert("flush.policy".to_owned(), policy);
    }
    settings
}

const INTERNAL: [&str; 3] = ["__consumer_offsets", "__transaction_state", "__share_group_state"];
