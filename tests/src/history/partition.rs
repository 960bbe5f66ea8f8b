//! What is in a partition: each acknowledged value, once, at one offset, in order, and nothing
//! else.

use std::collections::BTreeMap;

use super::{End, Known, Log, Outcome, Place, Verdict};

pub(super) fn check(known: &Known<'_>, verdicts: &mut Vec<Verdict>) {
    for (&place, log) in &known.logs {
        for (&offset, values) in log.values.iter().filter(|(_, values)| values.len() > 1) {
            let (place, values) = (place.clone(), values.clone());
            verdicts.push(Verdict::InconsistentOffset { place, offset, values });
        }
        duplicates(known, place, log, verdicts);
    }
    reads(known, verdicts);
    losses(known, verdicts);
    order(known, verdicts);
}

fn duplicates(known: &Known<'_>, place: &Place, log: &Log, verdicts: &mut Vec<Verdict>) {
    let mut offsets: BTreeMap<u64, Vec<i64>> = BTreeMap::new();
    for (&offset, values) in &log.values {
        for &value in values {
            offsets.entry(value).or_default().push(offset);
        }
    }
    for (value, offsets) in offsets.into_iter().filter(|(_, offsets)| offsets.len() > 1) {
        if known.writers.get(&value).is_some_and(|(_, send)| send.idempotent) {
            verdicts.push(Verdict::Duplicate { place: place.clone(), value, offsets });
        }
    }
}

fn reads(known: &Known<'_>, verdicts: &mut Vec<Verdict>) {
    for (_, poll) in &known.polls {
        for &(offset, value) in &poll.records {
            let place = poll.place.clone();
            let Some((_, send)) = known.writers.get(&value).filter(|(_, it)| it.place == place)
            else {
                verdicts.push(Verdict::Phantom { place, offset, value });
                continue;
            };
            let aborted = poll.read_committed && known.end_of(send) == End::Aborted;
            if send.transaction.is_some() && send.transaction == poll.transaction {
                verdicts.push(Verdict::PrecommittedRead { place, offset, value });
            } else if aborted || send.outcome == Outcome::Refused {
                verdicts.push(Verdict::AbortedRead { place, offset, value });
            }
        }
    }
}

fn losses(known: &Known<'_>, verdicts: &mut Vec<Verdict>) {
    for (event, send) in known.writers.values() {
        let Outcome::Done { offset } = send.outcome else { continue };
        let Some(log) = known.logs.get(&send.place) else { continue };
        let must_be_seen = known.end_of(send) == End::Committed && offset >= log.start;
        if !must_be_seen || log.seen.contains(&send.value) {
            continue;
        }
        let (place, value) = (send.place.clone(), send.value);
        verdicts.push(if offset < log.read_end {
            Verdict::LostWrite { place, value }
        } else if offset >= log.last_end && event.answered < log.last_asked {
            Verdict::LostTail { place, value, offset, end: log.last_end }
        } else {
            Verdict::Unseen { place, value }
        });
    }
}

fn order(known: &Known<'_>, verdicts: &mut Vec<Verdict>) {
    let mut sends: Vec<_> = known.writers.values().filter(|(_, send)| send.idempotent).collect();
    sends.sort_by_key(|(event, _)| event.asked);
    let mut last: BTreeMap<(u32, &Place), i64> = BTreeMap::new();
    for (event, send) in sends {
        let Outcome::Done { offset } = send.outcome else { continue };
        let process = event.process;
        let before = last.insert((process, &send.place), offset).unwrap_or(-1);
        if offset < before {
            let (place, value) = (send.place.clone(), send.value);
            verdicts.push(Verdict::UnorderedSend { place, process, value, offset, before });
        }
    }
}
