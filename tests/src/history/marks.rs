//! The bounds of a partition: in order, and never lower than they were.

use std::collections::BTreeMap;

use super::{Known, Marks, Place, Verdict};

pub(super) fn check(known: &Known<'_>, verdicts: &mut Vec<Verdict>) {
    // Of those that were answered before another was asked for, the highest of each mark.
    let mut earlier: BTreeMap<&Place, Vec<(u64, [i64; 4])>> = BTreeMap::new();
    for (event, marks) in &known.marks {
        let Marks { place, start, stable, high, end, leader_epoch } = marks;
        let in_order = [*start, *stable, *high, *end];
        if !in_order.is_sorted() {
            let place = place.clone();
            verdicts.push(Verdict::MarksOutOfOrder { place, marks: in_order });
        }
        let rising = [*start, *stable, *high, i64::from(*leader_epoch)];
        let told = earlier.entry(place).or_default();
        let before = told.partition_point(|(answered, _)| *answered < event.asked);
        let highest = told.get(before.wrapping_sub(1)).map_or(rising, |(_, highest)| *highest);
        for (mark, (&before, &after)) in RISING.iter().zip(highest.iter().zip(&rising)) {
            if after < before {
                let place = place.clone();
                verdicts.push(Verdict::MarkWentBack { place, mark, before, after });
            }
        }
        let mut highest = told.last().map_or(rising, |(_, highest)| *highest);
        for (highest, &mark) in highest.iter_mut().zip(&rising) {
            *highest = (*highest).max(mark);
        }
        told.push((event.answered, highest));
    }
}

const RISING: [&str; 4] = ["log start", "stable offset", "high watermark", "leader epoch"];
