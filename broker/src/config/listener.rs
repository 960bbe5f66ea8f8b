//! Where the broker listens, and what it calls itself.

use std::{fmt, str::FromStr};

/// `NAME://host:port`. An IPv6 address stands in brackets in the text, without them here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listener {
    pub name: String,
    /// Empty: every address of the machine.
    pub host: String,
    /// 0: any free port.
    pub port: u16,
}

impl FromStr for Listener {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (name, address) = text.split_once("://").ok_or(())?;
        let (host, port) = address.rsplit_once(':').ok_or(())?;
        let host = match host.strip_prefix('[') {
            Some(inner) => inner.strip_suffix(']').ok_or(())?,
            None if host.contains(':') => return Err(()),
            None => host,
        };
        let name_is_plain =
            name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.'));
        if name.is_empty() || !name_is_plain || host.contains(['/', ' ', '@']) {
            return Err(());
        }
        Ok(Self {
            name: name.to_ascii_uppercase(),
            host: host.to_owned(),
            port: port.parse().map_err(|_| ())?,
        })
    }
}

impl fmt::Display for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "{}://[{}]:{}", self.name, self.host, self.port)
        } else {
            write!(f, "{}://{}:{}", self.name, self.host, self.port)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listener_reads_what_it_shows() {
        for (text, host, port) in [
            ("PLAINTEXT://127.0.0.1:9092", "127.0.0.1", 9092),
            ("PLAINTEXT://:9092", "", 9092),
            ("INSIDE://[::1]:0", "::1", 0),
            ("OUTSIDE://broker-1.example:65535", "broker-1.example", 65535),
        ] {
            let listener: Listener = text.parse().unwrap();
            assert_eq!((listener.host.as_str(), listener.port), (host, port));
            assert_eq!(listener.to_string(), text);
        }
    }

    #[test]
    fn what_is_no_listener_is_refused() {
        for text in [
            "",
            "9092",
            "localhost:9092",
            "PLAINTEXT://localhost",
            "PLAINTEXT://localhost:",
            "PLAINTEXT://localhost:65536",
            "PLAINTEXT://::1:9092",
            "PLAINTEXT://[::1:9092",
            "://localhost:9092",
            "PLAIN TEXT://localhost:9092",
            "PLAINTEXT://user@host:9092",
        ] {
            assert_eq!(text.parse::<Listener>(), Err(()), "{text:?}");
        }
    }
}
