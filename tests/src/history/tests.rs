//! One good history, and one bad one for each verdict.

use super::{Act, End, Event, History, Marks, Outcome, Place, Poll, Send, Verdict};

fn place() -> Place {
    Place::new("t", 0)
}

/// A send of an idempotent producer that was acknowledged at an offset.
fn sent(value: u64, offset: i64) -> Send {
    Send {
        place: place(),
        value,
        outcome: Outcome::Done { offset },
        idempotent: true,
        committed: true,
        transaction: None,
    }
}

fn read(records: &[(i64, u64)], end: i64) -> Poll {
    Poll {
        place: place(),
        records: records.to_vec(),
        end,
        read_committed: true,
        turn: 0,
        transaction: None,
    }
}

/// One after the other: first what process 1 wrote, then what process 2 read.
fn verdicts(acts: Vec<Act>) -> Vec<Verdict> {
    let mut history = History::default();
    for (at, act) in (0..).zip(acts) {
        let process = if matches!(act, Act::Poll(_)) { 2 } else { 1 };
        history.push(Event { asked: 10 * at, answered: 10 * at + 5, process, act });
    }
    history.check()
}

fn of(
    sends: impl IntoIterator<Item = Send>,
    polls: impl IntoIterator<Item = Poll>,
) -> Vec<Verdict> {
    let sends = sends.into_iter().map(Act::Send);
    verdicts(sends.chain(polls.into_iter().map(Act::Poll)).collect())
}

fn in_transaction(transaction: u64, send: Send) -> Send {
    Send { transaction: Some(transaction), ..send }
}

fn marks(start: i64, stable: i64, high: i64, end: i64) -> Act {
    Act::Marks(Marks { place: place(), start, stable, high, end, leader_epoch: 0 })
}

#[test]
fn what_a_sound_log_tells_is_sound() {
    let found = verdicts(vec![
        Act::Send(sent(1, 0)),
        Act::Send(Send { outcome: Outcome::Refused, ..sent(2, 0) }),
        Act::Send(Send { outcome: Outcome::Unknown, ..sent(3, 0) }),
        Act::Send(Send { outcome: Outcome::Unknown, ..sent(4, 0) }),
        Act::Send(in_transaction(7, sent(5, 2))),
        Act::Send(in_transaction(8, sent(6, 4))),
        Act::EndTransaction { transaction: 7, outcome: End::Aborted },
        Act::EndTransaction { transaction: 8, outcome: End::Committed },
        marks(0, 4, 4, 5),
        marks(0, 5, 5, 5),
        Act::Poll(read(&[(0, 1), (1, 3)], 6)),
        Act::Poll(read(&[(4, 6)], 6)),
        Act::Poll(Poll { read_committed: false, turn: 1, ..read(&[(2, 5), (4, 6)], 6) }),
    ]);
    assert_eq!(found, []);
}

#[test]
fn what_was_deleted_need_not_be_seen() {
    let found = verdicts(vec![
        Act::Send(sent(1, 0)),
        Act::Send(sent(2, 1)),
        Act::Send(sent(3, 2)),
        Act::Poll(read(&[(0, 1)], 3)),
        marks(2, 3, 3, 3),
        Act::Poll(read(&[(2, 3)], 3)),
    ]);
    assert_eq!(found, []);
}

#[test]
fn inconsistent_offset() {
    let found = of([sent(1, 0), sent(2, 0)], [read(&[(0, 1), (1, 2)], 2)]);
    let values = [1, 2].into();
    let expected = Verdict::InconsistentOffset { place: place(), offset: 0, values };
    assert!(found.contains(&expected), "{found:?}");
}

#[test]
fn duplicate() {
    let found = of([sent(1, 0)], [read(&[(0, 1), (1, 1)], 2)]);
    assert_eq!(found, [Verdict::Duplicate { place: place(), value: 1, offsets: vec![0, 1] }]);
    let once_or_more = Send { idempotent: false, ..sent(1, 0) };
    assert_eq!(of([once_or_more], [read(&[(0, 1), (1, 1)], 2)]), []);
}

#[test]
fn phantom() {
    let found = of([sent(1, 0)], [read(&[(0, 1), (1, 9)], 2)]);
    assert_eq!(found, [Verdict::Phantom { place: place(), offset: 1, value: 9 }]);
}

#[test]
fn a_record_of_another_partition_is_a_phantom() {
    let elsewhere = Send { place: Place::new("t", 1), outcome: Outcome::Unknown, ..sent(1, 0) };
    let found = of([elsewhere], [read(&[(0, 1)], 1)]);
    assert_eq!(found, [Verdict::Phantom { place: place(), offset: 0, value: 1 }]);
}

#[test]
fn aborted_read() {
    let refused = Send { outcome: Outcome::Refused, ..sent(1, 0) };
    let expected = [Verdict::AbortedRead { place: place(), offset: 0, value: 1 }];
    assert_eq!(of([refused], [read(&[(0, 1)], 1)]), expected);
    let found = verdicts(vec![
        Act::Send(in_transaction(7, sent(1, 0))),
        Act::EndTransaction { transaction: 7, outcome: End::Aborted },
        Act::Poll(read(&[(0, 1)], 1)),
    ]);
    assert_eq!(found, expected);
}

#[test]
fn precommitted_read() {
    let within = Poll { transaction: Some(7), ..read(&[(0, 1)], 1) };
    let found = of([in_transaction(7, sent(1, 0))], [within]);
    assert_eq!(found, [Verdict::PrecommittedRead { place: place(), offset: 0, value: 1 }]);
}

#[test]
fn lost_write() {
    let found = of(
        [sent(1, 0), sent(2, 1), sent(3, 2)],
        [read(&[(0, 1)], 3), {
            // Another reader: the first one was not led past anything.
            Poll { turn: 1, ..read(&[(2, 3)], 3) }
        }],
    );
    assert_eq!(found, [Verdict::LostWrite { place: place(), value: 2 }]);
}

#[test]
fn lost_tail() {
    let later = Send { committed: false, ..sent(2, 1) };
    let found = of([sent(1, 0), later], [read(&[(0, 1)], 1)]);
    let expected = Verdict::LostTail { place: place(), value: 2, offset: 1, end: 1 };
    assert_eq!(found, [expected]);
}

#[test]
fn unseen() {
    let found = of([sent(1, 0), sent(2, 1)], [read(&[(0, 1)], 2)]);
    assert_eq!(found, [Verdict::Unseen { place: place(), value: 2 }]);
}

#[test]
fn nonmonotonic_poll() {
    let found = of([sent(1, 0), sent(2, 1)], [read(&[(0, 1), (1, 2)], 2), read(&[(1, 2)], 2)]);
    let expected = Verdict::NonMonotonicPoll { place: place(), process: 2, after: 1, offset: 1 };
    assert_eq!(found, [expected]);
}

#[test]
fn poll_skip() {
    let all = Poll { turn: 1, ..read(&[(0, 1), (1, 2), (2, 3)], 3) };
    let polls = [read(&[(0, 1)], 3), read(&[(2, 3)], 3), all];
    let found = of([sent(1, 0), sent(2, 1), sent(3, 2)], polls);
    let expected = Verdict::PollSkip { place: place(), process: 2, after: 0, missed: 1 };
    assert_eq!(found, [expected]);
}

#[test]
fn unordered_send() {
    let found = of([sent(1, 1), sent(2, 0)], [read(&[(0, 2), (1, 1)], 2)]);
    let (value, offset, before) = (2, 0, 1);
    let expected = Verdict::UnorderedSend { place: place(), process: 1, value, offset, before };
    assert_eq!(found, [expected]);
}

#[test]
fn torn() {
    for outcome in [End::Committed, End::Unknown] {
        let found = verdicts(vec![
            Act::Send(in_transaction(7, sent(1, 0))),
            Act::Send(in_transaction(7, sent(2, 1))),
            Act::Send(sent(3, 2)),
            Act::EndTransaction { transaction: 7, outcome },
            Act::Poll(read(&[(0, 1)], 3)),
            Act::Poll(Poll { turn: 1, ..read(&[(2, 3)], 3) }),
        ]);
        let expected = Verdict::Torn { transaction: 7, visible: 1, missing: 2 };
        assert!(found.contains(&expected), "{outcome:?}: {found:?}");
    }
}

#[test]
fn cycle() {
    let within = |transaction, records: &[(i64, u64)]| Poll {
        transaction: Some(transaction),
        turn: 1,
        ..read(records, 3)
    };
    let sends = [in_transaction(7, sent(1, 0)), in_transaction(8, sent(2, 1))];
    let both = [within(7, &[(1, 2)]), Poll { turn: 2, ..within(8, &[(0, 1)]) }];
    let bystander = Poll { turn: 3, ..within(9, &[(0, 1), (1, 2)]) };
    let found = of(sends, both.into_iter().chain([bystander]));
    assert_eq!(found, [Verdict::Cycle { transactions: [7, 8].into() }]);
}

#[test]
fn stale_read() {
    let found = of([sent(1, 0), sent(2, 1)], [read(&[(0, 1)], 1), read(&[(1, 2)], 2)]);
    let expected = Verdict::StaleRead { place: place(), process: 2, end: 1, acknowledged: 1 };
    assert_eq!(found, [expected]);
}

#[test]
fn commit_went_back() {
    let group = || "g".into();
    let found = verdicts(vec![
        Act::CommitOffset { group: group(), place: place(), offset: 5 },
        Act::FetchOffset { group: group(), place: place(), offset: 5 },
        Act::FetchOffset { group: group(), place: place(), offset: 4 },
    ]);
    let (committed, fetched) = (5, 4);
    let expected = Verdict::CommitWentBack { group: group(), place: place(), committed, fetched };
    assert_eq!(found, [expected]);
}

#[test]
fn double_assignment() {
    let mut history = History::default();
    for process in [1, 2] {
        let act = Act::Assign { group: "g".into(), generation: 3, place: place() };
        history.push(Event { asked: 0, answered: 1, process, act });
    }
    let (group, generation, processes) = ("g".into(), 3, [1, 2]);
    let expected = Verdict::DoubleAssignment { group, generation, place: place(), processes };
    assert_eq!(history.check(), [expected]);
}

#[test]
fn mark_went_back() {
    let found = verdicts(vec![marks(0, 5, 5, 6), marks(0, 5, 4, 6)]);
    let expected =
        Verdict::MarkWentBack { place: place(), mark: "high watermark", before: 5, after: 4 };
    assert!(found.contains(&expected), "{found:?}");
}

#[test]
fn marks_out_of_order() {
    let expected = Verdict::MarksOutOfOrder { place: place(), marks: [0, 6, 5, 6] };
    assert_eq!(verdicts(vec![marks(0, 6, 5, 6)]), [expected]);
}
