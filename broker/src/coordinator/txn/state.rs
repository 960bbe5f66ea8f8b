//! Where a transactional id is.

/// The states of Kafka's own coordinator, with its numbers in records and its names for people.
/// What it calls `Dead` is an id that is forgotten: here it is not there any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum State {
    /// A producer has come, and has written nothing yet.
    Empty,
    /// A transaction is open.
    Ongoing,
    /// It is decided, and the markers are on their way.
    PrepareCommit,
    PrepareAbort,
    /// Every partition has its marker.
    CompleteCommit,
    CompleteAbort,
}

impl State {
    pub const ALL: [Self; 6] = [
        Self::Empty,
        Self::Ongoing,
        Self::PrepareCommit,
        Self::PrepareAbort,
        Self::CompleteCommit,
        Self::CompleteAbort,
    ];

    /// The state that a record calls `number`; `None` for one that no record is written in.
    #[must_use]
    pub fn from_number(number: i8) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.number() == number)
    }

    #[must_use]
    pub const fn number(self) -> i8 {
        self as i8
    }

    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Empty => "Empty",
            Self::Ongoing => "Ongoing",
            Self::PrepareCommit => "PrepareCommit",
            Self::PrepareAbort => "PrepareAbort",
            Self::CompleteCommit => "CompleteCommit",
            Self::CompleteAbort => "CompleteAbort",
        }
    }

    /// Whether `name` is one that Kafka knows, also of states that are never to be seen.
    #[must_use]
    pub fn is_known(name: &str) -> bool {
        Self::ALL.iter().any(|state| state.name() == name)
            || matches!(name, "Dead" | "PrepareEpochFence")
    }

    /// Whether the outcome is decided and not yet everywhere.
    #[must_use]
    pub const fn is_ending(self) -> bool {
        matches!(self, Self::PrepareCommit | Self::PrepareAbort)
    }

    /// Whether an id in this state may be forgotten when it is not used for long.
    #[must_use]
    pub const fn may_expire(self) -> bool {
        matches!(self, Self::Empty | Self::CompleteCommit | Self::CompleteAbort)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_have_kafkas_numbers() {
        let numbers = State::ALL.map(|state| (state.number(), State::from_number(state.number())));
        assert_eq!(numbers, [0, 1, 2, 3, 4, 5].map(|n: i8| (n, State::from_number(n))));
        assert_eq!(State::from_number(2), Some(State::PrepareCommit));
        assert_eq!([State::from_number(6), State::from_number(-1)], [None, None]);
    }
}
