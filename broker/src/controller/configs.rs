//! Changing the settings of topics and brokers while they run.

use std::collections::BTreeSet;

use milena_protocol::{state::metadata::ConfigRecord, wire::Str};

use super::{Refusal, View, name};
use crate::{
    config::{GroupConfig, Key, Kind, Settings, TopicConfig, check_dynamic, table},
    metadata::{MetadataRecord, Resource, ResourceKind},
};

/// A change of one resource's settings: done as a whole, or not at all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alteration {
    pub resource_type: i8,
    pub resource_name: Str,
    pub change: Change,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// These settings and no others.
    Replace(Vec<(Str, Option<Str>)>),
    /// One setting after the other; what is not named stays.
    Edit(Vec<Edit>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edit {
    pub key: Str,
    /// As on the wire; [`Operation`] lists what is known.
    pub operation: i8,
    pub value: Option<Str>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    Set,
    Delete,
    /// Adds elements to a list that are not in it yet.
    Append,
    /// Takes elements out of a list.
    Subtract,
}

impl Operation {
    const fn from_number(number: i8) -> Option<Self> {
        match number {
            0 => Some(Self::Set),
            1 => Some(Self::Delete),
            2 => Some(Self::Append),
            3 => Some(Self::Subtract),
            _ => None,
        }
    }
}

/// One result for each of `alterations`, in their order. With `validate_only` there are no records.
pub(super) fn alter(
    view: &View<'_>,
    alterations: &[Alteration],
    validate_only: bool,
) -> (Vec<MetadataRecord>, Vec<Result<(), Refusal>>) {
    let named = |one: &Alteration| (one.resource_type, one.resource_name.clone());
    let mut seen = BTreeSet::new();
    let twice: BTreeSet<_> =
        alterations.iter().map(named).filter(|name| !seen.insert(name.clone())).collect();
    let mut records = Vec::new();
    let results = alterations
        .iter()
        .map(|alteration| {
            if twice.contains(&named(alteration)) {
                return Err(Refusal::Twice("resource"));
            }
            let resource = find(view, alteration)?;
            let before = view.image.settings(&resource);
            let after = decide(view, &resource, &before, &alteration.change)?;
            records.extend(difference(&resource, &before, &after));
            Ok(())
        })
        .collect();
    if validate_only {
        records.clear();
    }
    (records, results)
}

fn find(view: &View<'_>, alteration: &Alteration) -> Result<Resource, Refusal> {
    let name = &alteration.resource_name;
    let number = alteration.resource_type;
    let kind = ResourceKind::from_number(number).ok_or(Refusal::UnknownResource { number })?;
    match kind {
        ResourceKind::Topic if name.is_empty() => {
            Err(Refusal::BadResource("topics have no common configuration".to_owned()))
        }
        ResourceKind::Topic => {
            name::check(name)?;
            view.image.topic(name).ok_or(Refusal::UnknownTopic)?;
            Ok(Resource::topic(name))
        }
        ResourceKind::Group if name.is_empty() => {
            Err(Refusal::BadResource("groups have no common configuration".to_owned()))
        }
        ResourceKind::Group => Ok(Resource::group(name)),
        ResourceKind::Broker if name.is_empty() => Ok(Resource::all_brokers()),
        ResourceKind::Broker => match name.parse::<i32>() {
            Ok(id) if view.image.broker(id).is_some() => Ok(Resource::broker(id)),
            _ => Err(Refusal::BadResource(format!("there is no broker {:?}", name.as_str()))),
        },
    }
}

fn decide(
    view: &View<'_>,
    resource: &Resource,
    before: &Settings,
    change: &Change,
) -> Result<Settings, Refusal> {
    let mut seen = BTreeSet::new();
    let mut once = |key: &Str| match seen.insert(key.clone()) {
        true => Ok(()),
        false => Err(Refusal::Twice("configuration")),
    };
    let mut after = Settings::new();
    match change {
        Change::Replace(pairs) => {
            for (key, value) in pairs {
                once(key)?;
                let value = value.as_ref().ok_or_else(|| no_value(key))?;
                set(view, &mut after, resource.kind, key, value)?;
            }
        }
        Change::Edit(edits) => {
            after.clone_from(before);
            for edit in edits {
                once(&edit.key)?;
                apply(view, &mut after, resource, edit)?;
            }
        }
    }
    Ok(after)
}

fn apply(
    view: &View<'_>,
    settings: &mut Settings,
    resource: &Resource,
    edit: &Edit,
) -> Result<(), Refusal> {
    let operation = Operation::from_number(edit.operation)
        .ok_or(Refusal::UnknownOperation { number: edit.operation })?;
    if operation == Operation::Delete {
        settings.remove(edit.key.as_str());
        return Ok(());
    }
    let value = edit.value.as_ref().ok_or_else(|| no_value(&edit.key))?;
    if operation == Operation::Set {
        return set(view, settings, resource.kind, &edit.key, value);
    }
    let key = known(resource.kind, &edit.key)?;
    if key.kind != Kind::List {
        return Err(Refusal::NotAList { key: edit.key.to_string() });
    }
    let inherited = || in_force_by_default(view, resource.kind, key);
    let current = settings.get(key.name).cloned().or_else(inherited).unwrap_or_default();
    let mut list: Vec<&str> = current.split(',').filter(|one| !one.is_empty()).collect();
    for one in value.split(',') {
        match operation {
            Operation::Append if !list.contains(&one) => list.push(one),
            Operation::Subtract => list.retain(|other| *other != one),
            _ => {}
        }
    }
    let joined = list.join(",");
    set(view, settings, resource.kind, &edit.key, &joined)
}

/// What a list is extended from or shortened by where nothing was set for the resource itself.
fn in_force_by_default(view: &View<'_>, kind: ResourceKind, key: &Key) -> Option<String> {
    let found = match kind {
        ResourceKind::Topic | ResourceKind::Group => {
            view.config.layers.find(key.synonyms).first()?.converted()
        }
        ResourceKind::Broker => return key.default.map(str::to_owned),
    };
    Some(found)
}

fn set(
    view: &View<'_>,
    settings: &mut Settings,
    kind: ResourceKind,
    name: &Str,
    value: &str,
) -> Result<(), Refusal> {
    let key = known(kind, name)?;
    match kind {
        ResourceKind::Topic => TopicConfig::check(key, value)?,
        ResourceKind::Broker => check_dynamic(key, value)?,
        ResourceKind::Group => GroupConfig::check(key, value, &view.config.groups)?,
    }
    settings.insert(key.name.to_owned(), value.to_owned());
    Ok(())
}

fn known(kind: ResourceKind, name: &Str) -> Result<&'static Key, Refusal> {
    let key = match kind {
        ResourceKind::Topic => table().topic(name),
        ResourceKind::Broker => table().broker(name),
        ResourceKind::Group => table().group(name),
    };
    key.ok_or_else(|| Refusal::UnknownSetting { key: name.to_string() })
}

fn no_value(key: &Str) -> Refusal {
    Refusal::NoValue { key: key.to_string() }
}

fn difference<'a>(
    resource: &'a Resource,
    before: &'a Settings,
    after: &'a Settings,
) -> impl Iterator<Item = MetadataRecord> {
    let record = |name: &str, value: Option<&String>| {
        MetadataRecord::from(ConfigRecord {
            resource_type: resource.kind.number(),
            resource_name: resource.name.clone(),
            name: Str::from(name),
            value: value.map(Str::from),
        })
    };
    let set = after.iter().filter(|&(key, value)| before.get(key) != Some(value));
    let removed = before.keys().filter(|&key| !after.contains_key(key));
    set.map(move |(key, value)| record(key, Some(value)))
        .chain(removed.map(move |key| record(key, None)))
}
