//! Patterns of topic names, as consumers send them (KIP-848): RE2's notation, whole names only.
//!
//! Kafka resolves them with RE2/J, the broker with the `regex` crate: it makes the same promise of
//! a time linear in what is read. What the two write differently, `translate` turns into the
//! notation of the crate; what RE2 refuses is refused here.

mod translate;

use std::fmt;

use ::regex::bytes::{Regex, RegexBuilder};

/// A pattern that was understood.
#[derive(Clone, Debug)]
pub struct Pattern(Regex);

/// Why a pattern is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InvalidPattern {
    /// Longer than the key of a record can hold.
    TooLong,
    /// It would take too much memory.
    TooLarge,
    TrailingBackslash,
    /// A back reference, or a letter that has no meaning after a backslash.
    Escape(char),
    /// A group that looks around, or one with an unknown flag.
    Group,
    Class,
    /// More than 1000 times, or more often at least than at most.
    Repetition,
    /// A repetition of a repetition.
    NestedRepetition,
    UnopenedParenthesis,
    /// What the crate says.
    Syntax(String),
}

impl Pattern {
    /// # Errors
    ///
    /// If it is not RE2's notation, or too large.
    pub fn compile(pattern: &str) -> Result<Self, InvalidPattern> {
        if pattern.len() > PATTERN_BYTES_MAX {
            return Err(InvalidPattern::TooLong);
        }
        let translated = translate::translate(pattern)?;
        RegexBuilder::new(&format!(r"\A(?:{translated})\z"))
            .size_limit(COMPILED_BYTES_MAX)
            .dfa_size_limit(COMPILED_BYTES_MAX)
            .nest_limit(NESTED_MAX)
            .build()
            .map(Self)
            .map_err(|error| match error {
                ::regex::Error::CompiledTooBig(_) => InvalidPattern::TooLarge,
                other => InvalidPattern::Syntax(last_line(&other.to_string())),
            })
    }

    /// Whether the whole of the name matches.
    #[must_use]
    pub fn matches(&self, topic: &str) -> bool {
        self.0.is_match(topic.as_bytes())
    }
}

impl fmt::Display for InvalidPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong => write!(f, "more than {PATTERN_BYTES_MAX} bytes"),
            Self::TooLarge => f.write_str("takes too much memory"),
            Self::TrailingBackslash => f.write_str("backslash at the end"),
            Self::Escape(letter) => write!(f, "no such escape sequence: \\{letter}"),
            Self::Group => f.write_str("no such kind of group"),
            Self::Class => f.write_str("invalid character class"),
            Self::Repetition => f.write_str("invalid number of repetitions"),
            Self::NestedRepetition => f.write_str("repetition of a repetition"),
            Self::UnopenedParenthesis => f.write_str("parenthesis closed that was not opened"),
            Self::Syntax(reason) => f.write_str(reason),
        }
    }
}

impl std::error::Error for InvalidPattern {}

/// The crate draws the pattern, with what is wrong marked, and ends with the reason.
fn last_line(text: &str) -> String {
    let line = text.lines().last().unwrap_or_default();
    line.strip_prefix("error: ").unwrap_or(line).to_owned()
}

/// What the key of a record can hold.
const PATTERN_BYTES_MAX: usize = 32_767;
const COMPILED_BYTES_MAX: usize = 1 << 20;
const NESTED_MAX: u32 = 100;

#[cfg(test)]
mod tests {
    use super::{InvalidPattern, PATTERN_BYTES_MAX, Pattern};

    #[test]
    fn the_whole_name_must_match() {
        for (pattern, name, matches) in [
            ("orders", "orders", true),
            ("order", "orders", false),
            ("rders", "orders", false),
            ("order.*", "orders", true),
            ("a|ab", "ab", true),
            ("a|b", "ab", false),
            ("^orders$", "orders", true),
            ("", "orders", false),
            ("(?i)ORDERS", "orders", true),
            ("ord(?i:ERS)", "orders", true),
            (r"(?P<kind>\w+)\.v\d", "orders.v1", true),
            (r"(?<kind>\w+)-\d{1,3}", "orders-42", true),
            (r"\Qa.b\E-.", "a.b-c", true),
            (r"\Qa.b\E-.", "axb-c", false),
            (r"\Qa.b", "a.b", true),
            (r"[[:alpha:]]+", "orders", true),
            (r"[^[:digit:]]+", "a1", false),
            (r"[\w.-]+", "a-b.c_d", true),
            (r"[^\W]+", "a-b", false),
            (r"[a&&b]+", "a", true),
            (r"[[a]+", "a", true),
            (r"[]a]+", "a", true),
            (r"[a-]+", "a-", true),
            (r"a{2,3}", "aaa", true),
            (r"a{,2}", "aa", false),
            (r"\x61\x{62}\143", "abc", true),
            (r"\p{Ll}\pL[\p{^Lu}]", "abc", true),
            (r"a\_b\-c", "a_b-c", true),
            (r"\bab\b", "ab", true),
            (r"a\Bb", "ab", true),
            ("x y#z", "x y#z", true),
            ("(?)a", "a", true),
        ] {
            let compiled = Pattern::compile(pattern).expect(pattern);
            assert_eq!(compiled.matches(name), matches, "{pattern} on {name}");
        }
    }

    #[test]
    fn what_re2_lacks_is_refused_and_what_is_malformed_too() {
        for (pattern, why) in [
            (r"(a)\1", InvalidPattern::Escape('1')),
            (r"a\Z", InvalidPattern::Escape('Z')),
            (r"\u0041", InvalidPattern::Escape('u')),
            (r"a\C", InvalidPattern::Escape('C')),
            ("a(?=b)", InvalidPattern::Group),
            ("(?<!a)b", InvalidPattern::Group),
            ("(?>a)", InvalidPattern::Group),
            ("(?x)a b", InvalidPattern::Group),
            ("a**", InvalidPattern::NestedRepetition),
            ("a++", InvalidPattern::NestedRepetition),
            ("a{2}{3}", InvalidPattern::NestedRepetition),
            ("a{*", InvalidPattern::NestedRepetition),
            ("a{1001}", InvalidPattern::Repetition),
            ("a{3,2}", InvalidPattern::Repetition),
            ("[a", InvalidPattern::Class),
            ("[z-a]", InvalidPattern::Class),
            ("[[:word]", InvalidPattern::Class),
            ("[[:none:]]", InvalidPattern::Class),
            (r"[a-\d]", InvalidPattern::Class),
            ("a)(b", InvalidPattern::UnopenedParenthesis),
            (r"a\", InvalidPattern::TrailingBackslash),
            ("((((a{99}){99}){99}){99})", InvalidPattern::TooLarge),
        ] {
            assert_eq!(Pattern::compile(pattern).expect_err(pattern), why, "{pattern}");
        }
        for pattern in ["*", "(a", "a|*", r"\p{Klingon}"] {
            let error = Pattern::compile(pattern).expect_err(pattern);
            assert!(matches!(error, InvalidPattern::Syntax(_)), "{pattern}: {error:?}");
            assert_eq!(error.to_string().lines().count(), 1, "{pattern}: {error}");
        }
        let long = "a".repeat(PATTERN_BYTES_MAX + 1);
        assert_eq!(Pattern::compile(&long).expect_err("long"), InvalidPattern::TooLong);
    }
}
