//! What a shard of transactions can be asked, and what it answers.

use milena_protocol::{ErrorCode, ProducerEpoch, ProducerId, Timestamp, wire::Str};

use super::{Ending, Level, State};

/// A producer in one of its lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Producer {
    pub id: ProducerId,
    pub epoch: ProducerEpoch,
}

/// A partition by name, as transactions list them.
pub type TopicPartition = (Str, i32);

/// Text may be a slice of a frame: what is kept of it is copied.
#[derive(Clone, Debug)]
pub enum Request {
    Initialize(Initialize),
    /// Puts partitions into the transaction of `producer`, which begins with the first of them.
    Add {
        id: Str,
        producer: Producer,
        partitions: Vec<TopicPartition>,
        client: Level,
    },
    /// Asks whether partitions are in it.
    Verify {
        id: Str,
        producer: Producer,
        partitions: Vec<TopicPartition>,
    },
    End(End),
    Describe(Str),
    List,
    /// Asks for transactions whose markers are to be written, and waits until there are some; with
    /// `again` also for those that were handed out before.
    Endings {
        again: bool,
    },
    /// The markers of a transaction are written, everywhere.
    Ended {
        id: Str,
        serial: u64,
    },
}

/// A producer takes up a transactional id, and whoever had it before loses it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Initialize {
    pub id: Str,
    /// [`NO_TIMEOUT`] for one whose transactions another system decides about.
    pub timeout_ms: i32,
    /// Whether an open transaction is to be kept, and not aborted (KIP-939).
    pub keep_prepared: bool,
    /// Who the producer believes to be, if it goes on after a fault (KIP-360).
    pub known: Option<Producer>,
    /// An id that nobody has, in case one is needed.
    pub spare: Option<ProducerId>,
}

/// Who a producer is from now on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Initialized {
    pub producer: Producer,
    /// Whose open transaction was kept for it.
    pub ongoing: Option<Producer>,
}

/// A producer ends its transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct End {
    pub id: Str,
    pub producer: Producer,
    pub commit: bool,
    pub client: Level,
    pub spare: Option<ProducerId>,
}

/// The answer to the request of the same name.
#[derive(Clone, Debug, PartialEq)]
pub enum Reply {
    Initialize(Result<Initialized, ErrorCode>),
    Add(ErrorCode),
    /// One for each partition.
    Verify(Vec<ErrorCode>),
    /// Who is to write the next transaction.
    End(Result<Producer, ErrorCode>),
    Describe(Option<Described>),
    List(Vec<Listed>),
    Endings(Vec<Ending>),
    Ended,
    /// It cannot be decided without a spare producer id; nothing has happened.
    NeedsProducerId,
}

/// All there is to know of a transactional id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Described {
    pub state: State,
    pub producer: Producer,
    pub timeout_ms: i32,
    /// [`Timestamp::NONE`] before the first transaction.
    pub started: Timestamp,
    /// In order.
    pub partitions: Vec<TopicPartition>,
}

/// A transactional id among others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    pub id: Str,
    pub producer: ProducerId,
    pub state: State,
    pub started: Timestamp,
}

/// How long a transaction may be open that the broker never aborts on its own.
pub const NO_TIMEOUT: i32 = i32::MAX;
