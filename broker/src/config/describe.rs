//! What is in force and why: each setting with its value, its source and what it overrides.

use super::{Key, Kind, Layers, Settings, Unit, Update, table};

/// Who set a value; the wire's numbers are the handler's business.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    Topic,
    Group,
    /// Set while running, for one broker.
    Node,
    /// Set while running, for all brokers.
    Cluster,
    /// The file or the command line.
    File,
    Default,
}

/// One setting as a person wants to see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Described {
    pub name: String,
    pub value: Option<String>,
    pub source: Source,
    pub read_only: bool,
    pub kind: Kind,
    pub doc: &'static str,
    /// Every value that was given for this setting, the one in force first.
    pub synonyms: Vec<Synonym>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Synonym {
    pub name: String,
    pub value: String,
    pub source: Source,
}

/// All settings of a topic with these `overrides`.
#[must_use]
pub fn describe_topic(overrides: &Settings, layers: &Layers) -> Vec<Described> {
    let entry = |key| entry(key, overrides, Source::Topic, layers);
    table().topic.iter().map(entry).collect()
}

/// All settings of a group with these `overrides`.
#[must_use]
pub fn describe_group(overrides: &Settings, layers: &Layers) -> Vec<Described> {
    let entry = |key| entry(key, overrides, Source::Group, layers);
    table().group.iter().map(entry).collect()
}

/// All settings of the broker whose `layers` these are.
#[must_use]
pub fn describe_broker(layers: &Layers) -> Vec<Described> {
    table().broker.iter().map(|key| broker_entry(key, layers)).collect()
}

/// What was set for all brokers while running: only that, for no broker in particular.
#[must_use]
pub fn describe_cluster(layers: &Layers) -> Vec<Described> {
    let alone = Layers { cluster: layers.cluster.clone(), ..Layers::default() };
    describe_broker(&alone).into_iter().filter(|one| one.source == Source::Cluster).collect()
}

fn entry(
    key: &'static Key,
    overrides: &Settings,
    overridden: Source,
    layers: &Layers,
) -> Described {
    let found = layers.find(key.synonyms);
    let own = overrides.get(key.name).map(|value| Synonym {
        name: key.name.to_owned(),
        value: value.clone(),
        source: overridden,
    });
    let inherited = match found.first() {
        Some(first) => Some(first.converted()),
        None => key.default.map(str::to_owned),
    };
    let value = own.as_ref().map(|own| own.value.clone()).or(inherited);
    let synonyms: Vec<Synonym> = own
        .into_iter()
        .chain(found.into_iter().map(|one| Synonym {
            name: one.name.to_owned(),
            value: one.text,
            source: one.source,
        }))
        .collect();
    Described {
        name: key.name.to_owned(),
        value,
        source: synonyms.first().map_or(Source::Default, |first| first.source),
        read_only: false,
        kind: key.kind,
        doc: key.doc,
        synonyms,
    }
}

fn broker_entry(key: &'static Key, layers: &Layers) -> Described {
    let itself = [(key.name, Unit::Same)];
    let own = layers.find(&itself);
    let related = if key.synonyms.is_empty() { own.clone() } else { layers.find(key.synonyms) };
    let first = own.first();
    Described {
        name: key.name.to_owned(),
        value: first.map(|found| found.text.clone()),
        source: first.map_or(Source::Default, |found| found.source),
        read_only: key.update == Update::ReadOnly,
        kind: key.kind,
        doc: key.doc,
        synonyms: related
            .into_iter()
            .map(|one| Synonym { name: one.name.to_owned(), value: one.text, source: one.source })
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(pairs: &[(&str, &str)]) -> Settings {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    fn synonym(name: &str, value: &str, source: Source) -> Synonym {
        Synonym { name: name.to_owned(), value: value.to_owned(), source }
    }

    fn named(all: Vec<Described>, name: &str) -> Described {
        all.into_iter().find(|one| one.name == name).unwrap()
    }

    #[test]
    fn a_topic_setting_shows_the_whole_chain_behind_it() {
        let layers = Layers {
            cluster: one(&[("log.retention.ms", "3")]),
            file: one(&[("log.retention.minutes", "2")]),
            ..Layers::default()
        };
        let shown = named(describe_topic(&one(&[("retention.ms", "1")]), &layers), "retention.ms");
        assert_eq!(shown.value.as_deref(), Some("1"));
        assert_eq!(
            shown.synonyms,
            [
                synonym("retention.ms", "1", Source::Topic),
                synonym("log.retention.ms", "3", Source::Cluster),
                synonym("log.retention.minutes", "2", Source::File),
                synonym("log.retention.hours", "168", Source::Default),
            ]
        );
    }

    #[test]
    fn a_topic_setting_inherits_in_its_own_unit() {
        let layers = Layers { file: one(&[("log.roll.hours", "1")]), ..Layers::default() };
        let shown = named(describe_topic(&Settings::new(), &layers), "segment.ms");
        assert_eq!((shown.value.as_deref(), shown.source), (Some("3600000"), Source::File));
    }

    #[test]
    fn a_broker_setting_is_read_only_unless_it_can_change() {
        let all = describe_broker(&Layers::default());
        assert!(named(all.clone(), "listeners").read_only);
        assert!(!named(all, "message.max.bytes").read_only);
    }

    #[test]
    fn the_cluster_shows_only_what_was_set_for_it() {
        let layers = Layers {
            cluster: one(&[("message.max.bytes", "9")]),
            node: one(&[("min.insync.replicas", "2")]),
            ..Layers::default()
        };
        let names: Vec<_> = describe_cluster(&layers).into_iter().map(|one| one.name).collect();
        assert_eq!(names, ["message.max.bytes"]);
    }
}
