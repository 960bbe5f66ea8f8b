//! The lists of aborted transactions, held against the markers in the log.

use std::{collections::BTreeMap, io, iter::Peekable, path::Path, sync::Arc, vec};

use milena_protocol::{Offset, ProducerId, records::Batch};

use super::Fault;
use crate::{
    fs::Disk,
    index::{AbortedTransaction, Extent, OpenError, TransactionIndex},
    log::producing,
    segment::{name, name::Kind},
};

/// The first record of each transaction that is open, as the batches of a log pass.
#[derive(Debug, Default)]
pub(super) struct OpenTransactions(BTreeMap<ProducerId, Offset>);

/// A segment's list, as its batches pass.
#[derive(Debug)]
pub(super) struct Listed {
    entries: Peekable<vec::IntoIter<AbortedTransaction>>,
    /// A start believes the list: what it lacks is taken for committed.
    is_believed: bool,
    pub(super) faults: Vec<Fault>,
}

impl Listed {
    /// The list, or why there is none to be had.
    pub(super) fn open(
        disk: &Arc<dyn Disk>,
        dir: &Path,
        base: Offset,
        extent: Extent,
        is_believed: bool,
    ) -> Result<Self, OpenError> {
        let path = dir.join(name::file_name(base, Kind::TxnIndex));
        let index = TransactionIndex::open(disk, &path, base, extent)?;
        let entries = index.entries().map_err(OpenError::Io)?;
        Ok(Self { entries: entries.into_iter().peekable(), is_believed, faults: Vec::new() })
    }

    /// One that nothing is held against.
    pub(super) fn unknown() -> Self {
        Self { entries: Vec::new().into_iter().peekable(), is_believed: false, faults: Vec::new() }
    }

    pub(super) fn pass(&mut self, batch: &Batch, open: &mut OpenTransactions) {
        let (producer, offset) = (batch.producer_id(), batch.base_offset());
        if !batch.is_control() {
            if batch.is_transactional() && producer > ProducerId::NONE {
                open.0.entry(producer).or_insert(offset);
            }
            return;
        }
        let Some(marker) = producing::end_marker(batch) else { return };
        while let Some(entry) = self.entries.next_if(|entry| entry.last < offset) {
            self.faults.push(Fault::Aborted(entry));
        }
        let entry = self.entries.next_if(|entry| entry.last == offset);
        let first = open.0.remove(&producer);
        match (entry, first) {
            // Retention and compaction may have taken the first of its records.
            (Some(entry), first)
                if marker.commit
                    || entry.producer != producer
                    || first.is_some_and(|first| entry.first > first) =>
            {
                self.faults.push(Fault::Aborted(entry));
            }
            (None, Some(first)) if !marker.commit && self.is_believed => {
                self.faults.push(Fault::Unlisted { producer, first, last: offset });
            }
            _ => {}
        }
    }

    /// What is left has no marker.
    pub(super) fn finish(&mut self) {
        self.faults.extend(self.entries.by_ref().map(Fault::Aborted));
    }
}

/// Whether a list that cannot be opened is a finding, and not a fault of the disk.
pub(super) fn damage(error: OpenError) -> io::Result<Fault> {
    match error {
        OpenError::Io(error) => Err(error),
        error => Ok(Fault::Index { reason: error.to_string() }),
    }
}

#[cfg(test)]
mod tests {
    use milena_protocol::{
        ProducerEpoch,
        compression::Codec,
        records::{BatchBuilder, EndTxnMarker},
    };

    use super::*;
    use crate::{
        checkpoint,
        fs::sim::SimDisk,
        log::{
            Append, LogConfig, Origin,
            tests::{NOW, client, open, small},
        },
        manager::RECOVERY_POINTS,
        verify::{Depth, verify},
    };

    const DIR: &str = "/data/a-0";

    fn findings(disk: &Arc<dyn Disk>) -> Vec<(String, Fault)> {
        let mut found = Vec::new();
        verify(disk, Path::new("/data"), Depth::Batches, &mut |finding| {
            found.push((finding.file, finding.fault));
        })
        .unwrap();
        found
    }

    /// A log of transactions of which every other one is aborted, closed and noted.
    fn written() -> Arc<dyn Disk> {
        let disk: Arc<dyn Disk> = Arc::new(SimDisk::new());
        let config = LogConfig { verify_transactions: false, ..small() };
        let (log, _) = open(&disk, Path::new(DIR), &config);
        for sequence in 0..40 {
            let producer = (ProducerId(7), ProducerEpoch(0));
            let mut data = BatchBuilder::new(Codec::None)
                .producer(producer.0, producer.1, sequence)
                .transactional(true);
            data.append(NOW, None, Some(b"value"), &[]).unwrap();
            log.append(data.build().unwrap(), client()).unwrap();
            let marker = EndTxnMarker { commit: sequence % 2 == 0, coordinator_epoch: 0 };
            let marker = marker.batch(producer.0, producer.1, NOW).unwrap();
            log.append(marker, Append { origin: Origin::Coordinator, ..client() }).unwrap();
        }
        let end = log.close().unwrap();
        let noted = [(("a".to_owned(), 0), end)].into_iter().collect();
        checkpoint::write_offsets(&*disk, &Path::new("/data").join(RECOVERY_POINTS), &noted)
            .unwrap();
        disk
    }

    #[test]
    fn a_list_that_is_missing_or_anothers_is_found_where_it_is_believed() {
        let disk = written();
        assert_eq!(findings(&disk), []);
        let list = |base: i64| {
            let name = name::file_name(Offset(base), Kind::TxnIndex);
            (Path::new(DIR).join(&name), name)
        };
        let bases: Vec<i64> = disk
            .read_dir(Path::new(DIR))
            .unwrap()
            .iter()
            .filter_map(|entry| name::parse(&entry.name))
            .filter(|(_, kind)| *kind == Kind::Log)
            .map(|(base, _)| base.0)
            .collect();
        assert!(bases.len() > 3);

        let extent = Extent { end: Offset(i64::MAX), log_bytes: 0 };
        let second = TransactionIndex::open(&disk, &list(bases[1]).0, Offset(bases[1]), extent);
        let lost = second.unwrap().entries().unwrap();
        disk.rename(&list(bases[1]).0, &list(bases[2]).0).unwrap();
        let found = findings(&disk);
        let unlisted = |entry: &AbortedTransaction| Fault::Unlisted {
            producer: entry.producer,
            first: entry.first,
            last: entry.last,
        };
        for entry in &lost {
            assert!(found.contains(&(list(bases[1]).1, unlisted(entry))), "{entry:?}");
        }
        // Offsets before its segment: the list is damaged as a whole.
        assert!(found.iter().any(|(file, fault)| {
            *file == list(bases[2]).1 && matches!(fault, Fault::Index { .. })
        }));
    }
}
