//! A log and a list of batches are told the same things at random, crashes among them, and must
//! say the same.

use super::*;
use crate::fs::sim::SimDisk;

const DIR: &str = "/log";

/// What the log should hold.
#[derive(Debug, Default)]
struct Model {
    /// Base offset and records of each batch.
    batches: Vec<(i64, i64)>,
    start: i64,
    end: i64,
    flushed: i64,
}

impl Model {
    fn truncate(&mut self, end: i64) {
        let keep = self.batches.partition_point(|(base, count)| base + count <= end);
        self.end = self.batches.get(keep).map_or(self.end, |(base, _)| *base);
        self.batches.truncate(keep);
        self.flushed = self.flushed.min(self.end);
    }

    fn check(&self, log: &Log, context: &str) {
        let bounds = (log.start_offset().0, log.end_offset().0, log.flushed_offset().0);
        assert_eq!(bounds, (self.start, self.end, self.flushed), "{context}");
        let visible = self.batches.iter().filter(|(base, count)| base + count > self.start);
        let visible: Vec<(i64, i64)> = visible.copied().collect();
        let found: Vec<(i64, i64)> = read_all(log, log.start_offset())
            .iter()
            .map(|batch| (batch.base_offset().0, i64::from(batch.record_count())))
            .collect();
        assert_eq!(found, visible, "{context}");
    }
}

struct Dice(u32);

impl Dice {
    /// From 0 to below `sides`.
    fn roll(&mut self, sides: i64) -> i64 {
        self.0 = crc32c::crc32c_append(self.0, b"next");
        i64::from(self.0) % sides.max(1)
    }
}

fn reopen(disk: &SimDisk, model: &Model, dice: &mut Dice) -> Log {
    let recovery_point = Offset(dice.roll(model.flushed + 1));
    let open = OpenLog { recovery_point, log_start: Offset(model.start), ..fresh() };
    Log::open(Arc::new(disk.clone()), Path::new(DIR), Arc::new(small()), open).unwrap().0
}

fn step(disk: &SimDisk, log: &mut Log, model: &mut Model, dice: &mut Dice) {
    match dice.roll(16) {
        0 => {
            log.flush().unwrap();
            model.flushed = model.end;
        }
        1 => {
            // Up to what is durable, as the high watermark would have it.
            let to = model.start + dice.roll(model.flushed - model.start + 1);
            log.advance_start(Offset(to)).unwrap();
            model.start = model.start.max(to);
        }
        2 => {
            let to = model.start + dice.roll(model.end - model.start + 1);
            log.truncate_to(Offset(to), NOW).unwrap();
            if to < model.end {
                model.truncate(to);
                if model.end < model.start {
                    // The log began within the batch that went.
                    (model.end, model.flushed) = (model.start, model.start);
                    model.batches.clear();
                }
            }
        }
        3 => {
            *log = reopen(disk, model, dice);
            model.flushed = model.end;
        }
        4 => {
            disk.crash(dice.roll(1 << 30).unsigned_abs());
            *log = reopen(disk, model, dice);
            let end = log.end_offset().0;
            assert!(end >= model.flushed, "{model:?}");
            model.truncate(end);
            model.flushed = model.end;
        }
        _ => {
            let count = 1 + dice.roll(4);
            let values = vec!["x".repeat(usize::try_from(dice.roll(120)).unwrap()); 4];
            let values: Vec<&str> = values.iter().map(String::as_str).collect();
            let at = dice.roll(10_000);
            append(log, at, &values[..usize::try_from(count).unwrap()]);
            model.batches.push((model.end, count));
            model.end += count;
        }
    }
}

#[test]
fn a_log_does_what_a_list_does() {
    for seed in 0..60 {
        let disk = SimDisk::new();
        disk.create_dir_all(Path::new(DIR)).unwrap();
        disk.sync_dir(Path::new("/")).unwrap();
        let (mut dice, mut model) = (Dice(seed), Model::default());
        let mut log = reopen(&disk, &model, &mut dice);
        for number in 0..120 {
            step(&disk, &mut log, &mut model, &mut dice);
            model.check(&log, &format!("seed {seed}, step {number}"));
        }
    }
}
