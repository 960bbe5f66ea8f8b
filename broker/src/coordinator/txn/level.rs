//! The versions of the rules of transactions: the levels of the feature `transaction.version`.

/// Which rules somebody goes by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    #[default]
    Original,
    /// Records have tagged fields.
    Flexible,
    /// The end of every transaction is a new epoch (KIP-890).
    Bumping,
}

impl Level {
    /// A level that is not known yet is taken for the latest that is.
    #[must_use]
    pub const fn from_number(number: i16) -> Self {
        match number {
            i16::MIN..=0 => Self::Original,
            1 => Self::Flexible,
            2.. => Self::Bumping,
        }
    }

    #[must_use]
    pub const fn number(self) -> i16 {
        self as i16
    }

    /// The version of records that are written at this level.
    #[must_use]
    pub(super) const fn record_version(self) -> i16 {
        match self {
            Self::Original => 0,
            Self::Flexible | Self::Bumping => 1,
        }
    }
}
