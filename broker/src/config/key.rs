//! One setting: its name, its type, what it may hold and what it means.

use std::fmt;

/// A setting that a person may give, for the broker or for a topic.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    pub name: &'static str,
    pub kind: Kind,
    /// As text, in the same syntax as a person would give it; `None` where there is none.
    pub default: Option<&'static str>,
    pub valid: Valid,
    /// When a change takes effect. Topic settings are always changed while running.
    pub update: Update,
    /// For a topic setting: the broker settings that are its default, first one set wins. For a
    /// broker setting: the others that say the same in another unit, itself included, in order.
    pub synonyms: &'static [(&'static str, Unit)],
    /// Why the setting is accepted although nothing reads it yet; `None` if it acts.
    pub inert: Option<&'static str>,
    pub doc: &'static str,
}

impl Key {
    /// Reads `text` as this setting's type and checks it.
    ///
    /// # Errors
    /// Names the key, the value and what would have been allowed.
    pub fn parse(&self, text: &str) -> Result<Value, WrongValue> {
        let text = text.trim();
        let value = match self.kind {
            Kind::Boolean if text.eq_ignore_ascii_case("true") => Some(Value::Boolean(true)),
            Kind::Boolean if text.eq_ignore_ascii_case("false") => Some(Value::Boolean(false)),
            Kind::Boolean => None,
            Kind::Int => text.parse().ok().map(Value::Int),
            Kind::Long => text.parse().ok().map(Value::Long),
            Kind::Double => text.parse().ok().filter(|d: &f64| d.is_finite()).map(Value::Double),
            Kind::String => Some(Value::String(text.to_owned())),
            Kind::List => Some(Value::List(split_list(text))),
        };
        value.filter(|value| self.valid.allows(value)).ok_or_else(|| self.wrong(text))
    }

    /// The error for a value that this setting cannot hold.
    #[must_use]
    pub fn wrong(&self, text: &str) -> WrongValue {
        WrongValue { key: self.name.to_owned(), value: text.to_owned(), allowed: self.allowed() }
    }

    /// What may be given, in words.
    #[must_use]
    pub fn allowed(&self) -> String {
        match self.valid {
            Valid::Any => self.kind.to_string(),
            valid => format!("{} {valid}", self.kind),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Boolean,
    Int,
    Long,
    Double,
    String,
    List,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Boolean => "boolean",
            Self::Int => "int",
            Self::Long => "long",
            Self::Double => "double",
            Self::String => "string",
            Self::List => "list",
        })
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Valid {
    Any,
    AtLeast(i64),
    Between(i64, i64),
    /// Any one word of these; for a list, every element.
    OneOf(&'static [&'static str]),
    /// Text that is not empty.
    NotEmpty,
    /// A fraction from 0 to 1.
    Fraction,
}

impl Valid {
    fn allows(self, value: &Value) -> bool {
        match (self, value) {
            (Self::Any, _) => true,
            (Self::AtLeast(min), Value::Int(int)) => i64::from(*int) >= min,
            (Self::AtLeast(min), Value::Long(long)) => *long >= min,
            (Self::Between(min, max), Value::Int(int)) => (min..=max).contains(&i64::from(*int)),
            (Self::Between(min, max), Value::Long(long)) => (min..=max).contains(long),
            (Self::OneOf(words), Value::String(text)) => words.contains(&text.as_str()),
            (Self::OneOf(words), Value::List(list)) => {
                !list.is_empty() && list.iter().all(|one| words.contains(&one.as_str()))
            }
            (Self::OneOf(words), Value::Boolean(flag)) => {
                words.contains(&if *flag { "true" } else { "false" })
            }
            (Self::NotEmpty, Value::String(text)) => !text.is_empty(),
            (Self::NotEmpty, Value::List(list)) => !list.is_empty(),
            (Self::Fraction, Value::Double(double)) => (0.0..=1.0).contains(double),
            _ => false,
        }
    }
}

impl fmt::Display for Valid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("of any value"),
            Self::AtLeast(min) => write!(f, "of at least {min}"),
            Self::Between(min, max) => write!(f, "from {min} to {max}"),
            Self::OneOf([word]) => write!(f, "that is {word}"),
            Self::OneOf(words) => write!(f, "out of {}", words.join(", ")),
            Self::NotEmpty => f.write_str("that is not empty"),
            Self::Fraction => f.write_str("from 0 to 1"),
        }
    }
}

/// When a change of a broker setting takes effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Update {
    /// After a restart.
    ReadOnly,
    /// While running, for all brokers or for one.
    ClusterWide,
}

impl fmt::Display for Update {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ReadOnly => "read-only",
            Self::ClusterWide => "cluster-wide",
        })
    }
}

/// The unit of a synonym, where the setting itself is in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    Same,
    Minutes,
    Hours,
}

impl Unit {
    /// The synonym's text in the unit of the setting that it stands for. A time below zero means
    /// "without end" in every unit.
    #[must_use]
    pub fn convert(self, text: &str) -> String {
        let factor = match self {
            Self::Same => return text.to_owned(),
            Self::Minutes => 60 * 1000,
            Self::Hours => 60 * 60 * 1000,
        };
        match text.trim().parse::<i64>() {
            Ok(count) if count >= 0 => count.saturating_mul(factor).to_string(),
            _ => text.to_owned(),
        }
    }
}

#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    Boolean(bool),
    Int(i32),
    Long(i64),
    Double(f64),
    String(String),
    List(Vec<String>),
}

/// A setting that holds what it must not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WrongValue {
    pub key: String,
    pub value: String,
    pub allowed: String,
}

impl fmt::Display for WrongValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "invalid value {:?} for configuration {}: expected {}",
            self.value, self.key, self.allowed
        )
    }
}

impl std::error::Error for WrongValue {}

/// Elements of a comma-separated list, trimmed; an empty text is an empty list.
#[must_use]
pub(super) fn split_list(text: &str) -> Vec<String> {
    if text.trim().is_empty() {
        return Vec::new();
    }
    text.split(',').map(|one| one.trim().to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const COUNT: Key = Key {
        name: "count",
        kind: Kind::Int,
        default: Some("1"),
        valid: Valid::Between(1, 9),
        update: Update::ReadOnly,
        synonyms: &[],
        inert: None,
        doc: "",
    };

    #[test]
    fn a_value_in_range_is_read_with_its_blanks_trimmed() {
        assert_eq!(COUNT.parse(" 9 "), Ok(Value::Int(9)));
    }

    #[test]
    fn a_wrong_value_is_refused_with_key_value_and_what_is_allowed() {
        for text in ["0", "10", "nine", "", "4294967297"] {
            assert_eq!(
                COUNT.parse(text).unwrap_err().to_string(),
                format!("invalid value {text:?} for configuration count: expected int from 1 to 9")
            );
        }
    }

    #[test]
    fn each_kind_reads_its_own_syntax() {
        let key = |kind, valid| Key { kind, valid, ..COUNT };
        let cases = [
            (key(Kind::Boolean, Valid::Any), "TRUE", Some(Value::Boolean(true))),
            (key(Kind::Boolean, Valid::Any), "yes", None),
            (key(Kind::Boolean, Valid::OneOf(&["false"])), "true", None),
            (key(Kind::Long, Valid::AtLeast(-1)), "-1", Some(Value::Long(-1))),
            (key(Kind::Long, Valid::AtLeast(-1)), "-2", None),
            (key(Kind::Double, Valid::Fraction), "0.5", Some(Value::Double(0.5))),
            (key(Kind::Double, Valid::Fraction), "NaN", None),
            (key(Kind::Double, Valid::Fraction), "1.5", None),
            (key(Kind::List, Valid::OneOf(&["delete"])), "delete,compact", None),
            (key(Kind::List, Valid::OneOf(&["delete"])), "", None),
            (
                key(Kind::List, Valid::NotEmpty),
                "a, b",
                Some(Value::List(vec!["a".to_owned(), "b".to_owned()])),
            ),
        ];
        for (key, text, expected) in cases {
            assert_eq!(key.parse(text).ok(), expected, "{:?} {text}", key.kind);
        }
    }

    #[test]
    fn units_convert_to_milliseconds_and_keep_the_unlimited() {
        assert_eq!(Unit::Hours.convert("168"), "604800000");
        assert_eq!(Unit::Minutes.convert("-1"), "-1");
        assert_eq!(Unit::Hours.convert("9223372036854775807"), i64::MAX.to_string());
    }
}
