//! All settings: the one place where a key, its default and its meaning are written down.

mod broker;
mod group;
mod topic;

use super::Key;

/// Every setting there is.
#[derive(Clone, Copy, Debug)]
pub struct Table {
    pub broker: &'static [Key],
    pub group: &'static [Key],
    pub topic: &'static [Key],
}

#[must_use]
pub const fn table() -> Table {
    Table { broker: broker::KEYS, group: group::KEYS, topic: topic::KEYS }
}

impl Table {
    #[must_use]
    pub fn broker(&self, name: &str) -> Option<&'static Key> {
        self.broker.iter().find(|key| key.name == name)
    }

    #[must_use]
    pub fn group(&self, name: &str) -> Option<&'static Key> {
        self.group.iter().find(|key| key.name == name)
    }

    #[must_use]
    pub fn topic(&self, name: &str) -> Option<&'static Key> {
        self.topic.iter().find(|key| key.name == name)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::config::{Layers, layers::Found};

    #[test]
    fn keys_are_unique_and_in_order() {
        for keys in [table().broker, table().group, table().topic] {
            let names: Vec<_> = keys.iter().map(|key| key.name).collect();
            let sorted: Vec<_> =
                names.iter().copied().collect::<BTreeSet<_>>().into_iter().collect();
            assert_eq!(names, sorted);
        }
    }

    #[test]
    fn every_default_is_valid() {
        for key in table().broker.iter().chain(table().group).chain(table().topic) {
            if let Some(default) = key.default {
                assert!(key.parse(default).is_ok(), "{} = {default}", key.name);
            }
            assert!(!key.doc.is_empty(), "{} has no text", key.name);
        }
    }

    #[test]
    fn synonyms_are_broker_settings() {
        for key in table().broker.iter().chain(table().group).chain(table().topic) {
            for (name, _) in key.synonyms {
                assert!(table().broker(name).is_some(), "{} <- {name}", key.name);
            }
        }
    }

    #[test]
    fn a_setting_and_its_broker_default_agree() {
        for key in table().group.iter().chain(table().topic).filter(|key| !key.synonyms.is_empty())
        {
            let found = Layers::default().find(key.synonyms);
            let text = found.first().map(Found::converted);
            assert_eq!(key.default.map(str::to_owned), text, "{}", key.name);
        }
    }
}
