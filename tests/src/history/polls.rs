//! What one reader sees, poll after poll: every record that is there, once, and no less than what
//! was acknowledged before it asked.

use std::collections::BTreeMap;

use super::{End, Known, Outcome, Place, Poll, Verdict};

pub(super) fn check(known: &Known<'_>, verdicts: &mut Vec<Verdict>) {
    let mut last: BTreeMap<(u32, u32, &Place), i64> = BTreeMap::new();
    for (event, poll) in &known.polls {
        let process = event.process;
        let last = last.entry((process, poll.turn, &poll.place)).or_insert(NOTHING_YET);
        for &(offset, _) in &poll.records {
            let (place, after) = (poll.place.clone(), *last);
            if offset <= after {
                verdicts.push(Verdict::NonMonotonicPoll { place, process, after, offset });
            } else if after != NOTHING_YET
                && let Some(missed) = missed(known, poll, after + 1, offset)
            {
                verdicts.push(Verdict::PollSkip { place, process, after, missed });
            }
            *last = (*last).max(offset);
        }
    }
    stale(known, verdicts);
}

/// The first record from `from` to before `to` that the reader should have got, too.
fn missed(known: &Known<'_>, poll: &Poll, from: i64, to: i64) -> Option<i64> {
    let log = known.logs.get(&poll.place)?;
    // What was deleted since is not missed.
    let from = from.max(log.start).min(to);
    let mut between = log.values.range(from..to);
    let visible = |value: &u64| match known.writers.get(value) {
        Some((_, send)) => !poll.read_committed || known.end_of(send) == End::Committed,
        None => false,
    };
    between.find(|(_, values)| values.iter().any(visible)).map(|(&offset, _)| offset)
}

fn stale(known: &Known<'_>, verdicts: &mut Vec<Verdict>) {
    // When an acknowledgement came, and the highest offset acknowledged by then.
    let mut acknowledged: BTreeMap<&Place, Vec<(u64, i64)>> = BTreeMap::new();
    for (event, send) in known.writers.values() {
        if let Outcome::Done { offset } = send.outcome
            && send.committed
            && send.transaction.is_none()
        {
            acknowledged.entry(&send.place).or_default().push((event.answered, offset));
        }
    }
    for of_place in acknowledged.values_mut() {
        of_place.sort_unstable();
        let mut highest = NOTHING_YET;
        for (_, offset) in of_place {
            highest = highest.max(*offset);
            *offset = highest;
        }
    }
    for (event, poll) in &known.polls {
        let Some(of_place) = acknowledged.get(&poll.place) else { continue };
        let before = of_place.partition_point(|(answered, _)| *answered < event.asked);
        let Some(&(_, acknowledged)) = of_place.get(before.wrapping_sub(1)) else { continue };
        if poll.end <= acknowledged {
            let (place, process, end) = (poll.place.clone(), event.process, poll.end);
            verdicts.push(Verdict::StaleRead { place, process, end, acknowledged });
        }
    }
}

const NOTHING_YET: i64 = -1;
