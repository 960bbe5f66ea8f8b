//! A segment's list of aborted transactions, which takes more than the segment to make anew.

use std::{io, path::Path, sync::Arc};

use milena_protocol::Offset;
use tracing::warn;

use super::{
    Segment,
    name::{self, Kind},
};
use crate::{
    fs::Disk,
    index::{Extent, OpenError, TransactionIndex},
};

impl Segment {
    /// The transactions that were aborted in this segment.
    pub(crate) fn aborts(&self) -> &TransactionIndex {
        &self.aborts
    }

    /// Puts the aborted transactions that were found anew, durable, in the place of the damaged
    /// index. The directory is for the caller to sync.
    pub(crate) fn replace_aborts(&self, disk: &dyn Disk) -> io::Result<()> {
        let plain = self.path(Kind::TxnIndex);
        self.aborts.seal()?;
        if self.aborts.sync()? {
            disk.rename(&self.aborts.path(), &plain)?;
        } else {
            disk.remove_file(&plain)?;
        }
        self.aborts.moved_to(plain);
        Ok(())
    }
}

/// The index, or an empty one in the place of a damaged one, whose file stays as it is: a missing
/// one would be believed.
pub(super) fn open(
    disk: &Arc<dyn Disk>,
    dir: &Path,
    base: Offset,
    open: impl FnOnce(&Arc<dyn Disk>, &Path, Offset, Extent) -> Result<TransactionIndex, OpenError>,
    extent: Extent,
) -> io::Result<(TransactionIndex, bool)> {
    let file_name = name::file_name(base, Kind::TxnIndex);
    match open(disk, &dir.join(&file_name), base, extent) {
        Ok(aborts) => Ok((aborts, false)),
        Err(OpenError::Io(error)) => Err(error),
        Err(error) => {
            warn!(dir = %dir.display(), base = base.0, %error, "rebuilding aborted transactions");
            let beside = dir.join(file_name + name::CLEANED);
            Ok((TransactionIndex::create(disk, &beside, base)?, true))
        }
    }
}

/// An index without entries, in the place of whatever is there.
pub(super) fn none(disk: &Arc<dyn Disk>, dir: &Path, base: Offset) -> io::Result<TransactionIndex> {
    TransactionIndex::create(disk, &dir.join(name::file_name(base, Kind::TxnIndex)), base)
}
