//! Groups: committed offsets stay, and a partition has one member in a generation.

use std::{collections::BTreeMap, sync::Arc};

use super::{Act, Event, Place, Verdict};

pub(super) fn check(events: &[Event], verdicts: &mut Vec<Verdict>) {
    let mut owners: BTreeMap<(&Arc<str>, i32, &Place), u32> = BTreeMap::new();
    let mut commits: BTreeMap<_, Vec<(u64, i64)>> = BTreeMap::new();
    for event in events {
        match &event.act {
            Act::Assign { group, generation, place } => {
                let owner = *owners.entry((group, *generation, place)).or_insert(event.process);
                if owner != event.process {
                    verdicts.push(Verdict::DoubleAssignment {
                        group: Arc::clone(group),
                        generation: *generation,
                        place: place.clone(),
                        processes: [owner, event.process],
                    });
                }
            }
            Act::CommitOffset { group, place, offset } => {
                commits.entry((group, place)).or_default().push((event.answered, *offset));
            }
            _ => {}
        }
    }
    for event in events {
        let Act::FetchOffset { group, place, offset: fetched } = &event.act else { continue };
        let earlier = commits.get(&(group, place)).into_iter().flatten();
        let earlier = earlier.filter(|(answered, _)| *answered < event.asked);
        let committed = earlier.map(|&(_, offset)| offset).max();
        if let Some(committed) = committed.filter(|committed| fetched < committed) {
            let (group, place, fetched) = (Arc::clone(group), place.clone(), *fetched);
            verdicts.push(Verdict::CommitWentBack { group, place, committed, fetched });
        }
    }
}
