//! The syntax of a `server.properties` file: Java's, as Kafka reads it.
//!
//! A line is `key=value`, `key: value` or `key value`; `#` and `!` open a comment; a backslash at
//! the end of a line joins the next one to it, its indentation dropped; `\t \n \r \f \uXXXX` are
//! escapes and any other escaped character stands for itself. The last of two equal keys wins.

use std::{fmt, iter::Peekable, str::Chars};

use super::Settings;

/// Reads a whole file.
///
/// # Errors
/// On a malformed `\uXXXX`.
pub fn parse_properties(text: &str) -> Result<Settings, BadLine> {
    let mut settings = Settings::new();
    for (number, line) in logical_lines(text) {
        let (key, value) = split_pair(&line);
        let (Some(key), Some(value)) = (unescape(key), unescape(value)) else {
            return Err(BadLine { number: Some(number), text: line });
        };
        settings.insert(key, value);
    }
    Ok(settings)
}

/// Reads one `key=value`, as given on the command line: no escapes, no comments.
///
/// # Errors
/// Without an equals sign or without a key.
pub fn parse_assignment(text: &str) -> Result<(String, String), BadLine> {
    match text.split_once('=') {
        Some((key, value)) if !key.trim().is_empty() => {
            Ok((key.trim().to_owned(), value.trim().to_owned()))
        }
        _ => Err(BadLine { number: None, text: text.to_owned() }),
    }
}

/// Something that is not a setting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadLine {
    /// Where in the file, counted from 1; `None` for a single assignment.
    pub number: Option<usize>,
    pub text: String,
}

impl fmt::Display for BadLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.number {
            Some(number) => write!(f, "line {number}: bad escape in {:?}", self.text),
            None => write!(f, "{:?} is not of the form key=value", self.text),
        }
    }
}

impl std::error::Error for BadLine {}

/// Lines with continuations joined, comments and blanks dropped, each with the number of its first.
fn logical_lines(text: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let mut open: Option<(usize, String)> = None;
    for (at, natural) in text.lines().enumerate() {
        let stripped = natural.trim_start_matches([' ', '\t', '\u{c}']);
        let (number, mut line) = match open.take() {
            Some(begun) => begun,
            None if stripped.is_empty() || stripped.starts_with(['#', '!']) => continue,
            None => (at + 1, String::new()),
        };
        line.push_str(stripped);
        // An even number of backslashes are escaped backslashes, not a continuation.
        let slashes = line.chars().rev().take_while(|&c| c == '\\').count();
        if slashes % 2 == 1 {
            line.pop();
            open = Some((number, line));
        } else {
            found.push((number, line));
        }
    }
    found.extend(open);
    found
}

/// Splits at the first unescaped `=`, `:` or blank; blanks around the separator go.
fn split_pair(line: &str) -> (&str, &str) {
    let mut escaped = false;
    let end = line.find(|c: char| {
        let separates = !escaped && matches!(c, '=' | ':' | ' ' | '\t' | '\u{c}');
        escaped = c == '\\' && !escaped;
        separates
    });
    let (key, rest) = line.split_at(end.unwrap_or(line.len()));
    let rest = rest.trim_start_matches(BLANKS);
    let rest = rest.strip_prefix(['=', ':']).unwrap_or(rest);
    (key, rest.trim_start_matches(BLANKS))
}

fn unescape(text: &str) -> Option<String> {
    let mut plain = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        if c != '\\' {
            plain.push(c);
            continue;
        }
        match chars.next() {
            Some('t') => plain.push('\t'),
            Some('n') => plain.push('\n'),
            Some('r') => plain.push('\r'),
            Some('f') => plain.push('\u{c}'),
            Some('u') => plain.push(unicode_escape(&mut chars)?),
            Some(other) => plain.push(other),
            None => {}
        }
    }
    Some(plain)
}

/// Four hexadecimal digits, or two such escapes that form a surrogate pair.
fn unicode_escape(chars: &mut Peekable<Chars<'_>>) -> Option<char> {
    let high = four_digits(chars)?;
    if !(0xd800..0xdc00).contains(&high) {
        return char::from_u32(high);
    }
    if chars.next()? != '\\' || chars.next()? != 'u' {
        return None;
    }
    let low = four_digits(chars)?.checked_sub(0xdc00).filter(|&low| low < 0x400)?;
    char::from_u32(0x1_0000 + ((high - 0xd800) << 10) + low)
}

fn four_digits(chars: &mut Peekable<Chars<'_>>) -> Option<u32> {
    (0..4).try_fold(0, |value, _| Some(value * 16 + chars.next()?.to_digit(16)?))
}

const BLANKS: [char; 3] = [' ', '\t', '\u{c}'];

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Vec<(String, String)> {
        parse_properties(text).unwrap().into_iter().collect()
    }

    fn pair(key: &str, value: &str) -> (String, String) {
        (key.to_owned(), value.to_owned())
    }

    #[test]
    fn every_separator_is_understood() {
        for text in ["a=b", "a:b", "a b", "a = b", "  a\t:\tb", "a  b", "a=b\r\n"] {
            assert_eq!(read(text), [pair("a", "b")], "{text:?}");
        }
        assert_eq!(read("a"), [pair("a", "")]);
        assert_eq!(read("a=b=c:d"), [pair("a", "b=c:d")]);
        assert_eq!(read("a = b "), [pair("a", "b ")]);
    }

    #[test]
    fn comments_and_blank_lines_are_skipped() {
        assert_eq!(read("# a=1\n ! b=2\n\n  \nc=3 # kept"), [pair("c", "3 # kept")]);
    }

    #[test]
    fn a_backslash_at_the_end_joins_lines() {
        assert_eq!(read("a=1,\\\n   2,\\\n\t3\nb=4"), [pair("a", "1,2,3"), pair("b", "4")]);
        assert_eq!(read("a=1\\\\\nb=2"), [pair("a", "1\\"), pair("b", "2")]);
        assert_eq!(read("a=1\\\n# not a comment"), [pair("a", "1# not a comment")]);
        assert_eq!(read("a=1\\"), [pair("a", "1")]);
    }

    #[test]
    fn escapes_stand_for_characters() {
        assert_eq!(read(r"a\ b\==\u00e9\t\q\\"), [pair("a b=", "é\tq\\")]);
        assert_eq!(read(r"a=\ud83d\ude00"), [pair("a", "😀")]);
    }

    #[test]
    fn a_broken_escape_is_named_with_its_line() {
        for text in ["x=1\na=\\u12", "x=1\na=\\ud83d", "x=1\na=\\uzzzz"] {
            assert_eq!(parse_properties(text).unwrap_err().number, Some(2), "{text:?}");
        }
    }

    #[test]
    fn the_last_of_two_equal_keys_wins() {
        assert_eq!(read("a=1\na=2"), [pair("a", "2")]);
    }

    #[test]
    fn an_assignment_needs_a_key_and_an_equals_sign() {
        assert_eq!(parse_assignment("a.b = c=d"), Ok(pair("a.b", "c=d")));
        assert!(parse_assignment("a.b").is_err());
        assert!(parse_assignment("=c").is_err());
    }
}
