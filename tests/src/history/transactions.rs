//! Transactions: all or nothing, and no circle of who read from whom.

use std::collections::{BTreeMap, BTreeSet};

use super::{End, Known, Outcome, Verdict};

pub(super) fn check(known: &Known<'_>, verdicts: &mut Vec<Verdict>) {
    torn(known, verdicts);
    cycles(known, verdicts);
}

fn torn(known: &Known<'_>, verdicts: &mut Vec<Verdict>) {
    #[derive(Default)]
    struct Parts {
        visible: Option<u64>,
        missing: Option<u64>,
    }
    let mut all: BTreeMap<u64, Parts> = BTreeMap::new();
    for (_, send) in known.writers.values() {
        let Some(transaction) = send.transaction else { continue };
        let Some(log) = known.logs.get(&send.place) else { continue };
        let parts = all.entry(transaction).or_default();
        if log.seen_committed.contains(&send.value) {
            parts.visible.get_or_insert(send.value);
        } else if let Outcome::Done { offset } = send.outcome
            && (log.start..log.read_end).contains(&offset)
        {
            parts.missing.get_or_insert(send.value);
        }
    }
    for (transaction, parts) in all {
        // What is visible of an aborted one is told as such.
        let aborted = known.ends.get(&transaction) == Some(&End::Aborted);
        if let (Some(visible), Some(missing), false) = (parts.visible, parts.missing, aborted) {
            verdicts.push(Verdict::Torn { transaction, visible, missing });
        }
    }
}

fn cycles(known: &Known<'_>, verdicts: &mut Vec<Verdict>) {
    // Whom each transaction read from.
    let mut sources: BTreeMap<u64, BTreeSet<u64>> = BTreeMap::new();
    for (_, poll) in known.polls.iter().filter(|(_, poll)| poll.read_committed) {
        let Some(reader) = poll.transaction else { continue };
        let writers = poll.records.iter().filter_map(|(_, value)| known.writers.get(value));
        let writers = writers.filter_map(|(_, send)| send.transaction).filter(|it| *it != reader);
        sources.entry(reader).or_default().extend(writers);
    }
    // Whoever read from nobody who is left cannot be part of a circle.
    loop {
        let left: BTreeSet<u64> = sources.keys().copied().collect();
        sources.retain(|_, from| !from.is_disjoint(&left));
        if sources.len() == left.len() {
            break;
        }
    }
    // Those who only read from a circle are not part of it either.
    loop {
        let read: BTreeSet<u64> = sources.values().flatten().copied().collect();
        let before = sources.len();
        sources.retain(|transaction, _| read.contains(transaction));
        if sources.len() == before {
            break;
        }
    }
    if !sources.is_empty() {
        verdicts.push(Verdict::Cycle { transactions: sources.into_keys().collect() });
    }
}
