//! Logs while the process has no descriptor left.

use super::*;
use crate::{
    fs::{Mode, Pool, sim::SimDisk},
    log::{AppendError, FlushError},
};

const FILES_MAX: usize = 20;

/// A log with an append that is not synced, its files closed, and as many answers under way as take
/// whatever descriptors they are given.
struct Short {
    log: Log,
    answers: Vec<Arc<dyn milena_protocol::wire::Source>>,
}

impl Short {
    /// Of descriptors, with a pool that was promised so many.
    fn of(promised: usize) -> Self {
        let sim = SimDisk::new();
        sim.set_files_max(FILES_MAX);
        let disk: Arc<dyn Disk> = Arc::new(Pool::new(Arc::new(sim.clone()), promised));
        sim.create_dir_all(Path::new("/log")).unwrap();
        let (log, _) = open(&disk, Path::new("/log"), &small());
        append(&log, 0, &["first"]);
        let files = (0..2 * FILES_MAX)
            .map(|at| disk.open(Path::new(&format!("/{at}")), Mode::CreateNew).unwrap());
        let files: Vec<_> = files.collect();
        let answers = files.into_iter().map(|file| file.as_source()).collect();
        Self { log, answers }
    }
}

#[test]
fn a_log_has_its_files_opened_whatever_is_sent() {
    let Short { log, answers } = Short::of(FILES_MAX);
    for at in 1..30 {
        append(&log, at, &["enough to begin another segment before long"]);
        assert_eq!(log.try_flush(), Ok(Offset(at + 1)));
    }
    assert!(log.segment_count() > 2);
    drop(answers);
}

#[test]
fn a_log_that_cannot_be_opened_goes_on_once_it_can() {
    let Short { log, answers } = Short::of(20 * FILES_MAX);
    assert_eq!(log.try_flush(), Err(FlushError::NoDescriptor));
    let appended = log.append(batch(1, &["second"]), client());
    assert!(matches!(appended, Err(AppendError::Io(_))), "{appended:?}");
    assert_eq!(log.offline(), None);
    drop(answers);
    assert_eq!(append(&log, 1, &["second"]).base_offset, Offset(1));
    assert_eq!(log.try_flush(), Ok(Offset(2)));
    let values = read_all(&log, Offset(0)).len();
    assert_eq!((values, log.offline()), (2, None));
}

#[test]
fn who_cannot_wait_for_a_descriptor_is_told_that_the_log_is_offline() {
    let Short { log, answers } = Short::of(20 * FILES_MAX);
    assert!(matches!(log.flush(), Err(FlushError::Offline(_))));
    assert!(log.offline().is_some());
    drop(answers);
}
