//! Finds aborted transactions anew, where the lists of them are not to be trusted: of segments
//! that a crash may have damaged, and of those whose list is damaged itself.

use std::sync::Arc;

use milena_protocol::Offset;
use tracing::warn;

use super::{Opening, read_from};
use crate::{
    log::producing,
    producers::{CompletedTransaction, ProducerStates},
    segment::{ScanError, Segment},
};

impl Opening<'_> {
    /// A transaction may have begun long before its marker, so that the log is read from the
    /// newest snapshot before the first that may be missing, whatever is known of its end.
    pub(super) fn list_aborted(
        &mut self,
        segments: &[Arc<Segment>],
        (start, end): (Offset, Offset),
    ) -> Result<(), ScanError> {
        // What came behind a cut is gone.
        self.unlisted.retain(|base, _| segments.iter().any(|segment| segment.base == *base));
        let Some((_, &first)) = self.unlisted.first_key_value() else { return Ok(()) };
        let now = self.open.now;
        let mut producers = ProducerStates::new(self.config.producer_expiration_ms);
        let upper = first.min(end);
        let from = producers.restore_before(&**self.disk, self.dir, start, upper, now)?;
        read_from(segments, from, |segment, header, marker| {
            let ended = producing::note(&mut producers, header, marker, now);
            let Some(aborted) = ended.and_then(CompletedTransaction::if_aborted) else { return };
            if self.unlisted.get(&segment.base).is_some_and(|from| aborted.last >= *from)
                && let Err(error) = segment.aborts().append(aborted)
            {
                // It is in memory, and nothing is believed to be durable before it is written.
                warn!(dir = %self.dir.display(), ?aborted, %error, "not written");
            }
        })?;
        let mut replaced = false;
        for segment in segments.iter().filter(|segment| self.aborts_lost.contains(&segment.base)) {
            match segment.replace_aborts(&**self.disk) {
                Ok(()) => replaced = true,
                // The next start finds the damage again; a full disk need not stop us.
                Err(error) => warn!(dir = %self.dir.display(), base = segment.base.0, %error,
                    "aborted transactions not saved"),
            }
        }
        if replaced {
            self.disk.sync_dir(self.dir)?;
        }
        Ok(())
    }
}
