//! The topics that brokers keep their own state in, and what nobody can change about them.

use std::borrow::Cow;

use crate::config::{FlushPolicy, Settings};

/// Whether the topic is one that brokers keep their own state in.
#[must_use]
pub fn is_internal(name: &str) -> bool {
    INTERNAL.contains(&name)
}

/// The settings of the topic called `name`, of which these are its `overrides`.
///
/// What a coordinator has written is a decision, and others act on it: where it could be lost in a
/// crash, one transaction could be committed in one place and aborted in another. A group that lost
/// something reads it again, or divides its work again: whoever wants that sets it for the topic
/// of groups itself, where it never comes from the default of all topics.
#[must_use]
pub fn settings_in_force<'a>(name: &str, overrides: &'a Settings) -> Cow<'a, Settings> {
    let mut settings = Cow::Borrowed(overrides);
    let is_chosen = name == OF_GROUPS && overrides.contains_key(FLUSH_POLICY);
    if is_internal(name) && !is_chosen {
        let policy = FlushPolicy::Ack.name().to_owned();
        settings.to_mut().insert(FLUSH_POLICY.to_owned(), policy);
    }
    settings
}

const FLUSH_POLICY: &str = "flush.policy";
const OF_GROUPS: &str = "__consumer_offsets";
const INTERNAL: [&str; 3] = [OF_GROUPS, "__transaction_state", "__share_group_state"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_brokers_keep_is_synced_unless_it_is_chosen_otherwise_for_the_topic_of_groups() {
        let of = |policy: Option<&str>| -> Settings {
            let other = ("segment.bytes", "1024");
            let policy = policy.map(|it| ("flush.policy", it));
            let all = [other].into_iter().chain(policy);
            all.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
        };
        for (name, set, in_force) in [
            ("t", None, None),
            ("t", Some("os"), Some("os")),
            ("__consumer_offsets", None, Some("ack")),
            ("__consumer_offsets", Some("os"), Some("os")),
            ("__transaction_state", None, Some("ack")),
            ("__transaction_state", Some("os"), Some("ack")),
            ("__share_group_state", Some("interval"), Some("ack")),
        ] {
            let (set, in_force) = (of(set), of(in_force));
            assert_eq!(*settings_in_force(name, &set), in_force, "{name} {set:?}");
        }
    }
}
