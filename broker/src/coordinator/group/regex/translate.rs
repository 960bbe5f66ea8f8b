//! From RE2's notation to that of the `regex` crate.
//!
//! The crate gives a meaning of its own to `[`, `&&`, `--` and `~~` in a class, to `\<`, `\u` and
//! the flags `x`, `u` and `R`, counts more than ASCII into `\d`, `\s`, `\w` and `\b`, and wants
//! every brace to be a repetition. RE2 quotes with `\Q..\E`, has octal numbers, and refuses
//! repetitions of repetitions.

use std::{fmt::Write, iter::Peekable, str::Chars};

use super::InvalidPattern;

pub(super) fn translate(pattern: &str) -> Result<String, InvalidPattern> {
    let mut translator = Translator {
        rest: pattern.chars().peekable(),
        out: String::with_capacity(pattern.len()),
        depth: 0,
        repeated: false,
    };
    while let Some(next) = translator.rest.next() {
        translator.one(next)?;
    }
    Ok(translator.out)
}

struct Translator<'a> {
    rest: Peekable<Chars<'a>>,
    out: String,
    /// Open parentheses.
    depth: u32,
    /// What was read last is a repetition.
    repeated: bool,
}

impl Translator<'_> {
    fn one(&mut self, next: char) -> Result<(), InvalidPattern> {
        let repetition = match next {
            '*' | '+' | '?' => Some(String::from(next)),
            '{' => self.counts()?,
            _ => None,
        };
        if let Some(repetition) = repetition {
            return self.repetition(&repetition);
        }
        self.repeated = next == '{'; // RE2/J repeats no brace
        match next {
            '\\' => self.escape()?,
            '[' => self.class()?,
            '(' => self.group()?,
            ')' => {
                self.depth =
                    self.depth.checked_sub(1).ok_or(InvalidPattern::UnopenedParenthesis)?;
                self.out.push(')');
            }
            '^' | '$' | '.' | '|' => self.out.push(next),
            literal => self.literal(literal),
        }
        Ok(())
    }

    fn repetition(&mut self, repetition: &str) -> Result<(), InvalidPattern> {
        if self.repeated {
            return Err(InvalidPattern::NestedRepetition);
        }
        self.repeated = true;
        self.out.push_str(repetition);
        if self.rest.next_if_eq(&'?').is_some() {
            self.out.push('?');
        }
        Ok(())
    }

    /// The repetition whose brace was just read; `None` if it is a brace like any other.
    fn counts(&mut self) -> Result<Option<String>, InvalidPattern> {
        let mut ahead = self.rest.clone();
        let mut text = String::new();
        loop {
            match ahead.next() {
                Some('}') => break,
                Some(digit) if digit.is_ascii_digit() || digit == ',' => text.push(digit),
                _ => return Ok(None),
            }
        }
        let (least, most) = text.split_once(',').unwrap_or((&text, &text));
        if least.is_empty() || most.contains(',') {
            return Ok(None);
        }
        let count = |digits: &str| -> Result<u32, InvalidPattern> {
            digits.parse().ok().filter(|&n| n <= REPETITIONS_MAX).ok_or(InvalidPattern::Repetition)
        };
        let least = count(least)?;
        if !most.is_empty() && count(most)? < least {
            return Err(InvalidPattern::Repetition);
        }
        self.rest = ahead;
        Ok(Some(format!("{{{text}}}")))
    }

    fn group(&mut self) -> Result<(), InvalidPattern> {
        self.out.push('(');
        self.depth += 1;
        if self.rest.next_if_eq(&'?').is_none() {
            return Ok(());
        }
        self.out.push('?');
        if self.rest.next_if_eq(&'P').is_some() && self.rest.peek() != Some(&'<') {
            return Err(InvalidPattern::Group);
        }
        let end = if self.rest.next_if_eq(&'<').is_some() { '>' } else { ':' };
        if end == '>' {
            self.out.push_str("P<");
        }
        loop {
            let next = self.rest.next().ok_or(InvalidPattern::Group)?;
            let known = match end {
                '>' => next.is_ascii_alphanumeric() || next == '_',
                _ => "imsU-".contains(next),
            };
            self.out.push(next);
            match next {
                _ if next == end => return Ok(()),
                ')' if end == ':' => {
                    if self.out.ends_with(NO_FLAGS) {
                        self.out.truncate(self.out.len() - NO_FLAGS.len());
                    }
                    self.depth -= 1;
                    return Ok(());
                }
                _ if known => {}
                _ => return Err(InvalidPattern::Group),
            }
        }
    }

    /// Outside of a class.
    fn escape(&mut self) -> Result<(), InvalidPattern> {
        match self.rest.peek() {
            Some('Q') => {
                self.rest.next();
                self.quoted();
            }
            Some('b' | 'B') => {
                let boundary = self.rest.next().unwrap_or_default();
                let _ = write!(self.out, r"(?-u:\{boundary})");
            }
            Some('A' | 'z') => {
                self.out.push('\\');
                self.out.extend(self.rest.next());
            }
            _ => {
                if !self.set()? {
                    let literal = self.escaped()?;
                    self.literal(literal);
                }
            }
        }
        Ok(())
    }

    /// All up to `\E`, or up to the end.
    fn quoted(&mut self) {
        while let Some(next) = self.rest.next() {
            if next == '\\' && self.rest.next_if_eq(&'E').is_some() {
                return;
            }
            self.literal(next);
        }
    }

    /// A set of characters after a backslash, in a class or outside of one.
    fn set(&mut self) -> Result<bool, InvalidPattern> {
        let Some(&letter) = self.rest.peek() else { return Ok(false) };
        let ascii = match letter {
            'd' => "[0-9]",
            'D' => "[^0-9]",
            's' => r"[\t\n\f\r ]",
            'S' => r"[^\t\n\f\r ]",
            'w' => "[0-9A-Za-z_]",
            'W' => "[^0-9A-Za-z_]",
            'p' | 'P' => {
                self.rest.next();
                self.unicode_set(letter)?;
                return Ok(true);
            }
            _ => return Ok(false),
        };
        self.rest.next();
        self.out.push_str(ascii);
        Ok(true)
    }

    /// `\pL`, `\p{Greek}` or `\p{^Greek}`.
    fn unicode_set(&mut self, mut letter: char) -> Result<(), InvalidPattern> {
        let mut name: String = match self.rest.next().ok_or(InvalidPattern::Class)? {
            '{' => self.rest.by_ref().take_while(|&next| next != '}').collect(),
            one => one.to_string(),
        };
        if name.starts_with('^') {
            name.remove(0);
            letter = if letter == 'p' { 'P' } else { 'p' };
        }
        if !name.chars().all(|next| next.is_ascii_alphabetic() || next == '_') {
            return Err(InvalidPattern::Class);
        }
        let _ = write!(self.out, r"\{letter}{{{name}}}");
        Ok(())
    }

    /// A class, whose bracket was just read.
    fn class(&mut self) -> Result<(), InvalidPattern> {
        self.out.push('[');
        if self.rest.next_if_eq(&'^').is_some() {
            self.out.push('^');
        }
        let mut first = true;
        loop {
            let next = self.rest.next().ok_or(InvalidPattern::Class)?;
            match next {
                ']' if !first => break,
                '[' if self.rest.peek() == Some(&':') => self.posix()?,
                '\\' if self.set()? => {}
                _ => self.range(next)?,
            }
            first = false;
        }
        self.out.push(']');
        Ok(())
    }

    /// `[:alpha:]`, whose bracket was just read.
    fn posix(&mut self) -> Result<(), InvalidPattern> {
        let mut name: String = self.rest.by_ref().take_while(|&next| next != ']').collect();
        let inner = name.strip_prefix(':').and_then(|inner| inner.strip_suffix(':'));
        let inner = inner.map(|inner| inner.strip_prefix('^').unwrap_or(inner));
        if !inner.is_some_and(|inner| POSIX.contains(&inner)) {
            return Err(InvalidPattern::Class);
        }
        name.insert(0, '[');
        name.push(']');
        self.out.push_str(&name);
        Ok(())
    }

    /// A character in a class, or a range that begins with it.
    fn range(&mut self, next: char) -> Result<(), InvalidPattern> {
        let low = self.member(next)?;
        self.literal(low);
        let mut ahead = self.rest.clone();
        if ahead.next() != Some('-') || matches!(ahead.next(), None | Some(']')) {
            return Ok(());
        }
        self.rest.next();
        let next = self.rest.next().ok_or(InvalidPattern::Class)?;
        let high = self.member(next)?;
        if high < low {
            return Err(InvalidPattern::Class);
        }
        self.out.push('-');
        self.literal(high);
        Ok(())
    }

    fn member(&mut self, next: char) -> Result<char, InvalidPattern> {
        match (next, self.rest.peek()) {
            ('\\', Some('d' | 'D' | 's' | 'S' | 'w' | 'W' | 'p' | 'P')) => {
                Err(InvalidPattern::Class)
            }
            ('\\', _) => self.escaped(),
            _ => Ok(next),
        }
    }

    /// The character that the letters after a backslash stand for.
    fn escaped(&mut self) -> Result<char, InvalidPattern> {
        let letter = self.rest.next().ok_or(InvalidPattern::TrailingBackslash)?;
        let octal = |next: &char| next.is_digit(8);
        Ok(match letter {
            '0' => self.number(letter, 8, 2)?,
            '1'..='7' if self.rest.peek().is_some_and(octal) => self.number(letter, 8, 2)?,
            'x' => match self.rest.next() {
                Some('{') => {
                    let first = self.rest.next().ok_or(InvalidPattern::Escape('x'))?;
                    let character = self.number(first, 16, 7)?;
                    self.rest.next_if_eq(&'}').ok_or(InvalidPattern::Escape('x'))?;
                    character
                }
                Some(first) if self.rest.peek().is_some_and(char::is_ascii_hexdigit) => {
                    self.number(first, 16, 1)?
                }
                _ => return Err(InvalidPattern::Escape('x')),
            },
            'a' => '\x07',
            'f' => '\x0c',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'v' => '\x0b',
            _ if !letter.is_ascii_alphanumeric() => letter,
            _ => return Err(InvalidPattern::Escape(letter)),
        })
    }

    /// The character of this number: `first` and at most `more` digits.
    fn number(&mut self, first: char, base: u32, more: u32) -> Result<char, InvalidPattern> {
        let wrong = InvalidPattern::Escape(if base == 16 { 'x' } else { first });
        let mut value = first.to_digit(base).ok_or(wrong.clone())?;
        for _ in 0..more {
            let Some(digit) = self.rest.peek().and_then(|next| next.to_digit(base)) else { break };
            self.rest.next();
            value = value.saturating_mul(base).saturating_add(digit);
        }
        char::from_u32(value).ok_or(wrong)
    }

    /// A character that stands for itself.
    fn literal(&mut self, literal: char) {
        if literal.is_ascii() && !literal.is_ascii_alphanumeric() {
            let _ = write!(self.out, r"\x{:02x}", u32::from(literal));
        } else {
            self.out.push(literal);
        }
    }
}

/// As if it were not there.
const NO_FLAGS: &str = "(?)";
/// As RE2 has it.
const REPETITIONS_MAX: u32 = 1000;
const POSIX: &[&str] = &[
    "alnum", "alpha", "ascii", "blank", "cntrl", "digit", "graph", "lower", "print", "punct",
    "space", "upper", "word", "xdigit",
];
