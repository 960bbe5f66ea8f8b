//! Where a broker setting's value comes from: three layers over the table's defaults.

use std::collections::BTreeMap;

use super::{Key, Source, Unit, Update, Value, WrongValue, table};

/// Settings as text, by name.
pub type Settings = BTreeMap<String, String>;

/// All that was set for one broker. The first layer that has a key wins.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Layers {
    /// Changed while running, for this broker alone.
    pub node: Settings,
    /// Changed while running, for every broker.
    pub cluster: Settings,
    /// From the file and the command line.
    pub file: Settings,
}

/// One place that a value was found in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    pub source: Source,
    pub name: &'static str,
    /// As it was given.
    pub text: String,
    /// What `text` counts, if another unit than the setting that it stands for.
    pub unit: Unit,
}

impl Found {
    /// The text in the unit of the setting that was asked for.
    #[must_use]
    pub fn converted(&self) -> String {
        self.unit.convert(&self.text)
    }
}

impl Layers {
    /// All values given for any of `synonyms`, strongest first, defaults last.
    #[must_use]
    pub fn find(&self, synonyms: &[(&'static str, Unit)]) -> Vec<Found> {
        let mut found = Vec::new();
        for source in [Source::Node, Source::Cluster, Source::File, Source::Default] {
            for &(name, unit) in synonyms {
                if let Some(text) = self.text(source, name) {
                    found.push(Found { source, name, text: text.to_owned(), unit });
                }
            }
        }
        found
    }

    /// The value in force, read and checked; `None` where nothing is set and there is no default.
    ///
    /// # Errors
    /// If the text that is set is not what the key allows.
    pub fn value(&self, key: &Key) -> Result<Option<Value>, WrongValue> {
        match self.find(&[(key.name, Unit::Same)]).first() {
            Some(found) => key.parse(&found.text).map(Some),
            None => Ok(None),
        }
    }

    fn text(&self, source: Source, name: &str) -> Option<&str> {
        let dynamic = || table().broker(name).is_some_and(|key| key.update != Update::ReadOnly);
        match source {
            Source::Node => self.node.get(name).filter(|_| dynamic()).map(String::as_str),
            Source::Cluster => self.cluster.get(name).filter(|_| dynamic()).map(String::as_str),
            Source::File => self.file.get(name).map(String::as_str),
            Source::Default => table().broker(name)?.default,
            Source::Topic | Source::Group => None,
        }
    }
}
