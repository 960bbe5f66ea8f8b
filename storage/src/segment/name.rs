//! What the files of a segment are called: its base offset in 20 digits, then what it holds.

use milena_protocol::Offset;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Log,
    OffsetIndex,
    TimeIndex,
    TxnIndex,
    /// What producers had written before the base offset.
    Snapshot,
}

impl Kind {
    pub(crate) const ALL: [Self; 5] =
        [Self::Log, Self::OffsetIndex, Self::TimeIndex, Self::TxnIndex, Self::Snapshot];

    const fn extension(self) -> &'static str {
        match self {
            Self::Log => "log",
            Self::OffsetIndex => "index",
            Self::TimeIndex => "timeindex",
            Self::TxnIndex => "txnindex",
            Self::Snapshot => "snapshot",
        }
    }
}

pub(crate) fn file_name(base: Offset, kind: Kind) -> String {
    format!("{:020}.{}", base.0, kind.extension())
}

/// `None` for a name that no segment's file has, those with a further suffix included.
pub(crate) fn parse(name: &str) -> Option<(Offset, Kind)> {
    let (digits, extension) = name.split_once('.')?;
    let kind = Kind::ALL.into_iter().find(|kind| kind.extension() == extension)?;
    let plain = digits.len() == DIGITS && digits.bytes().all(|byte| byte.is_ascii_digit());
    let base = if plain { digits.parse().ok()? } else { return None };
    Some((Offset(base), kind))
}

/// Whether a file is none of a log's: what a deletion or a compaction left unfinished.
pub(crate) fn is_leftover(name: &str) -> bool {
    [DELETED, CLEANED, SWAP].iter().any(|suffix| name.ends_with(suffix))
}

const DIGITS: usize = 20;
/// Follows the name of a file that may go at any time.
pub(crate) const DELETED: &str = ".deleted";
/// Follows the name of a file that compaction had not finished.
pub(crate) const CLEANED: &str = ".cleaned";
/// Follows the name of a file that compaction had finished, and that replaces what it covers.
pub(crate) const SWAP: &str = ".swap";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_reads_back_as_its_base_and_kind() {
        for kind in Kind::ALL {
            assert_eq!(parse(&file_name(Offset(4217), kind)), Some((Offset(4217), kind)));
        }
        assert_eq!(file_name(Offset(7), Kind::Log), "00000000000000000007.log");
    }

    #[test]
    fn other_names_are_not_a_segments() {
        for name in [
            "7.log",
            "00000000000000000007.log.deleted",
            "00000000000000000007",
            "+0000000000000000007.log",
            "leader-epoch-checkpoint",
            "99999999999999999999.log",
        ] {
            assert_eq!(parse(name), None, "{name}");
        }
    }
}
