//! The settings of this broker, resolved and typed.

use std::path::PathBuf;

use super::{
    GroupSettings, Key, Kind, Layers, Listener, Settings, TopicConfig, TransactionSettings, Update,
    Value, WrongValue, table,
};

/// What is in force on this broker. Immutable: a change while running makes a new one.
#[derive(Clone, Debug, PartialEq)]
pub struct BrokerConfig {
    /// Empty: each client is told the address that it dialled.
    pub advertised_listeners: Vec<Listener>,
    pub auto_create_topics: bool,
    pub cleaner_backoff_ms: i64,
    pub cleaner_dedupe_buffer_bytes: i64,
    pub cleaner_enable: bool,
    pub cleaner_io_bytes_per_second: f64,
    /// Negative: never.
    pub connections_max_idle_ms: i64,
    pub default_replication_factor: i32,
    pub delete_topics: bool,
    pub fetch_max_bytes: i32,
    pub fetch_session_slots: i32,
    pub flush_checkpoint_interval_ms: i32,
    pub groups: GroupSettings,
    /// Never empty; metadata lives in the first one.
    pub log_dirs: Vec<PathBuf>,
    pub listeners: Vec<Listener>,
    pub max_connections: i32,
    pub max_connections_per_ip: i32,
    /// Of the metadata log, after which a snapshot of it is taken.
    pub metadata_snapshot_bytes: i64,
    /// 0: no snapshot because of time alone.
    pub metadata_snapshot_interval_ms: i64,
    /// 0: one per core.
    pub network_threads: i32,
    pub node_id: i32,
    pub num_partitions: i32,
    pub producer_id_expiration_ms: i32,
    /// Negative: without limit.
    pub queued_max_request_bytes: i64,
    pub rack: Option<String>,
    pub recovery_threads_per_dir: i32,
    pub retention_check_interval_ms: i64,
    /// -1: the operating system's.
    pub socket_receive_buffer_bytes: i32,
    /// -1: the operating system's.
    pub socket_send_buffer_bytes: i32,
    pub transaction_verification: bool,
    pub socket_request_max_bytes: i32,
    /// What a topic has that overrides nothing.
    pub topic: TopicConfig,
    pub transactions: TransactionSettings,
    pub unstable_api_versions: bool,
    /// Where all of this came from.
    pub layers: Layers,
}

impl BrokerConfig {
    /// Resolves what a file and the command line gave. Unknown keys are passed over:
    /// [`unknown_keys`](Self::unknown_keys) lists them for a warning.
    ///
    /// # Errors
    /// Every value that its key does not allow, and combinations that contradict each other.
    pub fn from_settings(file: Settings) -> Result<Self, Vec<WrongValue>> {
        Self::from_layers(Layers { file, ..Layers::default() })
    }

    /// The same broker after a change of what is set while running.
    ///
    /// # Errors
    /// As [`from_settings`](Self::from_settings); the caller keeps what it has.
    pub fn with_dynamic(&self, cluster: Settings, node: Settings) -> Result<Self, Vec<WrongValue>> {
        Self::from_layers(Layers { node, cluster, file: self.layers.file.clone() })
    }

    /// Keys from the file or the command line that mean nothing here.
    #[must_use]
    pub fn unknown_keys(&self) -> Vec<&str> {
        let keys = self.layers.file.keys();
        keys.filter(|name| table().broker(name).is_none()).map(String::as_str).collect()
    }

    fn from_layers(layers: Layers) -> Result<Self, Vec<WrongValue>> {
        let mut wrong = Vec::new();
        for layer in [&layers.file, &layers.cluster, &layers.node] {
            for (name, text) in layer {
                if let Some(Err(error)) = table().broker(name).map(|key| key.parse(text)) {
                    wrong.push(error);
                }
            }
        }
        if !wrong.is_empty() {
            return Err(wrong);
        }
        Self::resolve(layers).map_err(|error| vec![error])
    }

    fn resolve(layers: Layers) -> Result<Self, WrongValue> {
        let read = Reader(&layers);
        Ok(Self {
            advertised_listeners: advertised(&read)?,
            auto_create_topics: read.boolean("auto.create.topics.enable")?,
            cleaner_backoff_ms: read.long("log.cleaner.backoff.ms")?,
            cleaner_dedupe_buffer_bytes: read.long("log.cleaner.dedupe.buffer.size")?,
            cleaner_enable: read.boolean("log.cleaner.enable")?,
            cleaner_io_bytes_per_second: read.double("log.cleaner.io.max.bytes.per.second")?,
            connections_max_idle_ms: read.long("connections.max.idle.ms")?,
            default_replication_factor: read.int("default.replication.factor")?,
            delete_topics: read.boolean("delete.topic.enable")?,
            fetch_max_bytes: read.int("fetch.max.bytes")?,
            fetch_session_slots: read.int("max.incremental.fetch.session.cache.slots")?,
            flush_checkpoint_interval_ms: read.int("log.flush.offset.checkpoint.interval.ms")?,
            groups: GroupSettings::resolve(&read)?,
            log_dirs: log_dirs(&read)?,
            listeners: listeners(&read)?,
            max_connections: read.int("max.connections")?,
            max_connections_per_ip: read.int("max.connections.per.ip")?,
            metadata_snapshot_bytes: read
                .long("metadata.log.max.record.bytes.between.snapshots")?,
            metadata_snapshot_interval_ms: read.long("metadata.log.max.snapshot.interval.ms")?,
            network_threads: read.int("num.network.threads")?,
            node_id: node_id(&read)?,
            num_partitions: read.int("num.partitions")?,
            producer_id_expiration_ms: read.int("producer.id.expiration.ms")?,
            queued_max_request_bytes: read.long("queued.max.request.bytes")?,
            rack: read.string("broker.rack")?,
            recovery_threads_per_dir: read.int("num.recovery.threads.per.data.dir")?,
            retention_check_interval_ms: read.long("log.retention.check.interval.ms")?,
            socket_receive_buffer_bytes: read.int("socket.receive.buffer.bytes")?,
            socket_send_buffer_bytes: read.int("socket.send.buffer.bytes")?,
            transaction_verification: read.boolean("transaction.partition.verification.enable")?,
            socket_request_max_bytes: read.int("socket.request.max.bytes")?,
            topic: TopicConfig::broker_default(&layers)?,
            transactions: TransactionSettings::resolve(&read)?,
            unstable_api_versions: read.boolean("unstable.api.versions.enable")?,
            layers,
        })
    }
}

/// Whether `text` may be set for a broker's `key` while it runs.
///
/// # Errors
/// If the value is wrong or the setting is read only at start.
pub fn check_dynamic(key: &Key, text: &str) -> Result<(), WrongValue> {
    if key.update == Update::ReadOnly {
        let allowed = "no change while the broker runs".to_owned();
        return Err(WrongValue { allowed, ..key.wrong(text) });
    }
    key.parse(text).map(|_| ())
}

/// Typed access by name. A name that is not in the table reads as one that is not set.
pub(super) struct Reader<'a>(&'a Layers);

impl Reader<'_> {
    pub(super) fn boolean(&self, name: &'static str) -> Result<bool, WrongValue> {
        match self.value(name)? {
            Some(Value::Boolean(flag)) => Ok(flag),
            _ => Err(unset(name, Kind::Boolean)),
        }
    }

    pub(super) fn int(&self, name: &'static str) -> Result<i32, WrongValue> {
        self.optional_int(name)?.ok_or_else(|| unset(name, Kind::Int))
    }

    fn optional_int(&self, name: &'static str) -> Result<Option<i32>, WrongValue> {
        match self.value(name)? {
            Some(Value::Int(int)) => Ok(Some(int)),
            _ => Ok(None),
        }
    }

    pub(super) fn long(&self, name: &'static str) -> Result<i64, WrongValue> {
        match self.value(name)? {
            Some(Value::Long(long)) => Ok(long),
            _ => Err(unset(name, Kind::Long)),
        }
    }

    fn double(&self, name: &'static str) -> Result<f64, WrongValue> {
        match self.value(name)? {
            Some(Value::Double(double)) => Ok(double),
            _ => Err(unset(name, Kind::Double)),
        }
    }

    pub(super) fn string(&self, name: &'static str) -> Result<Option<String>, WrongValue> {
        match self.value(name)? {
            Some(Value::String(text)) => Ok(Some(text)),
            _ => Ok(None),
        }
    }

    pub(super) fn list(&self, name: &'static str) -> Result<Option<Vec<String>>, WrongValue> {
        match self.value(name)? {
            Some(Value::List(list)) => Ok(Some(list)),
            _ => Ok(None),
        }
    }

    fn value(&self, name: &'static str) -> Result<Option<Value>, WrongValue> {
        match table().broker(name) {
            Some(key) => self.0.value(key),
            None => Ok(None),
        }
    }
}

fn unset(name: &str, kind: Kind) -> WrongValue {
    WrongValue { key: name.to_owned(), value: String::new(), allowed: kind.to_string() }
}

fn node_id(read: &Reader<'_>) -> Result<i32, WrongValue> {
    match read.optional_int("broker.id")? {
        Some(old) if !read.0.file.contains_key("node.id") => Ok(old),
        Some(old) if old != read.int("node.id")? => Err(WrongValue {
            key: "broker.id".to_owned(),
            value: old.to_string(),
            allowed: "the same number as node.id".to_owned(),
        }),
        _ => read.int("node.id"),
    }
}

fn log_dirs(read: &Reader<'_>) -> Result<Vec<PathBuf>, WrongValue> {
    let dirs = match read.list("log.dirs")? {
        Some(dirs) => dirs,
        None => super::key::split_list(&read.string("log.dir")?.unwrap_or_default()),
    };
    let mut seen = std::collections::BTreeSet::new();
    if dirs.iter().any(|dir| dir.is_empty() || !seen.insert(dir)) {
        return Err(WrongValue {
            key: "log.dirs".to_owned(),
            value: dirs.join(","),
            allowed: "a list of different directories".to_owned(),
        });
    }
    Ok(dirs.iter().map(PathBuf::from).collect())
}

/// The listeners to open: all but those for controllers.
fn listeners(read: &Reader<'_>) -> Result<Vec<Listener>, WrongValue> {
    let wrong = |value: &str, allowed: &str| WrongValue {
        key: "listeners".to_owned(),
        value: value.to_owned(),
        allowed: allowed.to_owned(),
    };
    let controllers = read.list("controller.listener.names")?.unwrap_or_default();
    let protocols = read.list("listener.security.protocol.map")?.unwrap_or_default();
    let mut found: Vec<Listener> = Vec::new();
    for text in read.list("listeners")?.unwrap_or_default() {
        let listener: Listener =
            text.parse().map_err(|()| wrong(&text, "a list of NAME://host:port"))?;
        if controllers.iter().any(|name| name.eq_ignore_ascii_case(&listener.name)) {
            continue;
        }
        let protocol = protocols
            .iter()
            .filter_map(|pair| pair.split_once(':'))
            .find(|(name, _)| name.eq_ignore_ascii_case(&listener.name))
            .map_or(listener.name.as_str(), |(_, protocol)| protocol);
        if !protocol.eq_ignore_ascii_case("PLAINTEXT") {
            return Err(wrong(&text, "listeners of security protocol PLAINTEXT"));
        }
        let clashes = |other: &Listener| {
            other.name == listener.name
                || (other.port == listener.port && other.host == listener.host && other.port != 0)
        };
        if found.iter().any(clashes) {
            return Err(wrong(&text, "listeners that differ in name and in address"));
        }
        found.push(listener);
    }
    if found.is_empty() {
        return Err(wrong("", "at least one listener that is not for controllers"));
    }
    Ok(found)
}

fn advertised(read: &Reader<'_>) -> Result<Vec<Listener>, WrongValue> {
    let wrong = |value: &str, allowed: &str| WrongValue {
        key: "advertised.listeners".to_owned(),
        value: value.to_owned(),
        allowed: allowed.to_owned(),
    };
    let opened = listeners(read)?;
    let mut found: Vec<Listener> = Vec::new();
    for text in read.list("advertised.listeners")?.unwrap_or_default() {
        let listener: Listener =
            text.parse().map_err(|()| wrong(&text, "a list of NAME://host:port"))?;
        if matches!(listener.host.as_str(), "" | "0.0.0.0" | "::") {
            return Err(wrong(&text, "an address that a client can dial"));
        }
        if found.iter().any(|other| other.name == listener.name) {
            return Err(wrong(&text, "one address for each listener"));
        }
        // Names of controller listeners may stand here, too, and mean nothing.
        if opened.iter().any(|open| open.name == listener.name) {
            found.push(listener);
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::parse_properties;

    fn read(text: &str) -> Result<BrokerConfig, Vec<String>> {
        BrokerConfig::from_settings(parse_properties(text).unwrap())
            .map_err(|wrong| wrong.iter().map(ToString::to_string).collect())
    }

    fn shown(listeners: &[Listener]) -> Vec<String> {
        listeners.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn without_a_file_it_listens_on_this_machine_only() {
        let config = read("").unwrap();
        assert_eq!(shown(&config.listeners), ["PLAINTEXT://127.0.0.1:9092"]);
        assert_eq!(config.advertised_listeners, []);
        assert_eq!(config.log_dirs, [PathBuf::from("milena-data")]);
        assert_eq!((config.node_id, config.num_partitions), (1, 1));
        assert!(config.auto_create_topics && config.delete_topics);
    }

    #[test]
    fn a_file_written_for_a_combined_kafka_node_works() {
        let config = read(
            "process.roles=broker,controller\nnode.id=7\n\
             listeners=PLAINTEXT://:9092,CONTROLLER://:9093\n\
             advertised.listeners=PLAINTEXT://localhost:9092,CONTROLLER://localhost:9093\n\
             controller.listener.names=CONTROLLER\n\
             listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT\n\
             log.dirs=/a, /b\nlog.retention.hours=24\n",
        )
        .unwrap();
        assert_eq!(shown(&config.listeners), ["PLAINTEXT://:9092"]);
        assert_eq!(shown(&config.advertised_listeners), ["PLAINTEXT://localhost:9092"]);
        assert_eq!(config.node_id, 7);
        assert_eq!(config.log_dirs, [PathBuf::from("/a"), PathBuf::from("/b")]);
        assert_eq!(config.topic.retention_ms, 86_400_000);
        assert_eq!(config.unknown_keys(), ["process.roles"]);
    }

    #[test]
    fn every_wrong_value_is_named() {
        assert_eq!(
            read("num.partitions=0\nauto.create.topics.enable=maybe").unwrap_err(),
            [
                "invalid value \"maybe\" for configuration auto.create.topics.enable: expected boolean",
                "invalid value \"0\" for configuration num.partitions: expected int of at least 1",
            ]
        );
    }

    #[test]
    fn contradictions_are_refused() {
        for text in [
            "node.id=1\nbroker.id=2",
            "listeners=SSL://:9092",
            "listeners=A://:9092\nlistener.security.protocol.map=A:SASL_PLAINTEXT",
            "listeners=PLAINTEXT://:1,PLAINTEXT://:2",
            "listeners=PLAINTEXT://:9092,B://:9092\nlistener.security.protocol.map=B:PLAINTEXT",
            "listeners=CONTROLLER://:9093\ncontroller.listener.names=CONTROLLER",
            "listeners=9092",
            "advertised.listeners=PLAINTEXT://0.0.0.0:9092",
            "advertised.listeners=PLAINTEXT://:9092",
            "log.dirs=/a,/a",
            "log.dirs=",
        ] {
            assert!(read(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn broker_id_is_the_older_name_of_node_id() {
        assert_eq!(read("broker.id=3").unwrap().node_id, 3);
        assert_eq!(read("broker.id=3\nnode.id=3").unwrap().node_id, 3);
    }

    #[test]
    fn what_is_set_while_running_beats_the_file() {
        let set =
            |value: &str| Settings::from([("message.max.bytes".to_owned(), value.to_owned())]);
        let started = read("message.max.bytes=1").unwrap();
        let changed = started.with_dynamic(set("2"), Settings::new()).unwrap();
        assert_eq!(changed.topic.max_message_bytes, 2);
        let own = changed.with_dynamic(set("2"), set("3")).unwrap();
        assert_eq!(own.topic.max_message_bytes, 3);
        assert_eq!(own.with_dynamic(Settings::new(), Settings::new()), Ok(started));
    }

    #[test]
    fn what_is_read_at_start_cannot_be_changed_while_running() {
        let listeners = table().broker("listeners").unwrap();
        assert!(check_dynamic(listeners, "PLAINTEXT://:1").is_err());
        let forced = Settings::from([("listeners".to_owned(), "PLAINTEXT://:1".to_owned())]);
        let started = read("").unwrap();
        assert_eq!(
            started.with_dynamic(forced, Settings::new()).unwrap().listeners,
            started.listeners
        );
    }
}
