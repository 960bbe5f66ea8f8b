//! What a topic may be called.

use std::fmt;

/// Checks a name for a new topic. A name that passes is safe as the name of a directory.
///
/// # Errors
/// What is wrong with it.
pub fn check(name: &str) -> Result<(), BadName> {
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    match name {
        "" => Err(BadName::Empty),
        "." | ".." => Err(BadName::Dots),
        _ if name.len() > LEN_MAX => Err(BadName::TooLong(name.len())),
        _ => match name.chars().find(|&c| !legal(c)) {
            Some(letter) => Err(BadName::Illegal(letter)),
            None => Ok(()),
        },
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadName {
    Empty,
    Dots,
    TooLong(usize),
    Illegal(char),
}

impl fmt::Display for BadName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("a topic's name cannot be empty"),
            Self::Dots => f.write_str("a topic's name cannot be \".\" or \"..\""),
            Self::TooLong(len) => {
                write!(f, "a topic's name of {len} characters: at most {LEN_MAX}")
            }
            Self::Illegal(letter) => write!(
                f,
                "a topic's name cannot contain {letter:?}: only ASCII letters and digits, \
                 \".\", \"_\" and \"-\""
            ),
        }
    }
}

impl std::error::Error for BadName {}

/// The log of the metadata itself: nobody creates it.
pub(super) const CLUSTER_METADATA: &str = "__cluster_metadata";
/// Room for `-<partition>` and a deletion mark within a file system's 255.
const LEN_MAX: usize = 249;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_are_good() {
        for name in ["a", "A.b_c-9", "...", "__x", &"x".repeat(249)] {
            assert_eq!(check(name), Ok(()), "{name}");
        }
    }

    #[test]
    fn names_that_are_not() {
        for (name, error) in [
            ("", BadName::Empty),
            (".", BadName::Dots),
            ("..", BadName::Dots),
            ("a/b", BadName::Illegal('/')),
            ("../x", BadName::Illegal('/')),
            ("a\0", BadName::Illegal('\0')),
            ("a b", BadName::Illegal(' ')),
            ("ä", BadName::Illegal('ä')),
            (&"x".repeat(250), BadName::TooLong(250)),
        ] {
            assert_eq!(check(name), Err(error), "{name:?}");
        }
    }
}
