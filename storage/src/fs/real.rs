//! The operating system's files, with nothing cached and nothing hidden: one system call per
//! operation, interrupted and partial ones carried on.
#![expect(clippy::disallowed_methods, reason = "this is the door that the lint points to")]

use std::{
    fs,
    io::{self, ErrorKind, IoSlice},
    os::fd::{AsFd, BorrowedFd},
    os::unix::fs::FileExt,
    path::Path,
    sync::Arc,
};

use memmap2::MmapOptions;
use milena_protocol::wire::Source;
use rustix::{
    fs::{Advice, FallocateFlags, FlockOperation},
    io::Errno,
};

use super::{Disk, Entry, File, Lock, Mapping, Mode, Space};

/// The file system that the process sees.
#[derive(Clone, Copy, Debug, Default)]
pub struct RealDisk;

impl Disk for RealDisk {
    fn open(&self, path: &Path, mode: Mode) -> io::Result<Arc<dyn File>> {
        let mut options = fs::OpenOptions::new();
        options.read(true);
        match mode {
            Mode::Read => &mut options,
            Mode::ReadWrite => options.write(true),
            Mode::CreateNew => options.write(true).create_new(true),
            Mode::CreateOrOpen => options.write(true).create(true).truncate(false),
        };
        Ok(Arc::new(RealFile { file: options.open(path)? }))
    }

    fn create_dir(&self, path: &Path) -> io::Result<()> {
        fs::create_dir(path)
    }

    fn create_dir_all(&self, path: &Path) -> io::Result<()> {
        fs::create_dir_all(path)
    }

    fn read_dir(&self, path: &Path) -> io::Result<Vec<Entry>> {
        let mut entries = Vec::new();
        for entry in fs::read_dir(path)? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            // The listing itself tells, which for thousands of partitions saves as many calls.
            if entry.file_type()?.is_dir() {
                entries.push(Entry { name, is_dir: true, len: 0 });
                continue;
            }
            match entry.metadata() {
                Ok(metadata) => entries.push(Entry { name, is_dir: false, len: metadata.len() }),
                // Removed between the listing and the look: as if it had gone a moment earlier.
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(entries)
    }

    fn exists(&self, path: &Path) -> bool {
        path.exists()
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn remove_dir_all(&self, path: &Path) -> io::Result<()> {
        fs::remove_dir_all(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        fs::File::open(path)?.sync_all()
    }

    fn sync_all(&self, path: &Path) -> io::Result<()> {
        Ok(rustix::fs::syncfs(fs::File::open(path)?)?)
    }

    fn space(&self, path: &Path) -> io::Result<Space> {
        let volume = rustix::fs::statvfs(path)?;
        Ok(Space {
            total: volume.f_blocks.saturating_mul(volume.f_frsize),
            available: volume.f_bavail.saturating_mul(volume.f_frsize),
        })
    }

    fn lock(&self, path: &Path) -> io::Result<Box<dyn Lock>> {
        let mut options = fs::OpenOptions::new();
        let file = options.read(true).write(true).create(true).truncate(false).open(path)?;
        rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive)?;
        Ok(Box::new(RealLock { _file: file }))
    }
}

#[derive(Debug)]
struct RealFile {
    file: fs::File,
}

impl Source for RealFile {
    fn read_exact_at(&self, buf: &mut [u8], position: u64) -> io::Result<()> {
        self.file.read_exact_at(buf, position)
    }

    fn fd(&self) -> Option<BorrowedFd<'_>> {
        Some(self.file.as_fd())
    }
}

impl File for RealFile {
    fn len(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    fn read_at(&self, mut buf: &mut [u8], mut position: u64) -> io::Result<usize> {
        let wanted = buf.len();
        while !buf.is_empty() {
            match self.file.read_at(buf, position) {
                Ok(0) => break,
                Ok(read) => {
                    buf = buf.split_at_mut(read).1;
                    position += read as u64;
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(wanted - buf.len())
    }

    fn write_all_at(&self, mut slices: &mut [IoSlice<'_>], mut position: u64) -> io::Result<()> {
        // Drops leading empty slices, so that writing 0 bytes can only mean trouble.
        IoSlice::advance_slices(&mut slices, 0);
        while !slices.is_empty() {
            let some = slices.get(..SLICES_PER_CALL_MAX).unwrap_or(slices);
            match rustix::io::pwritev(&self.file, some, position) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(written) => {
                    IoSlice::advance_slices(&mut slices, written);
                    position += written as u64;
                }
                Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        Ok(rustix::fs::fdatasync(&self.file)?)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.file.set_len(len)
    }

    fn forget_cached(&self, from: u64) -> io::Result<()> {
        // A page is forgotten whole or not at all.
        let page = from - from % PAGE_BYTES;
        Ok(rustix::fs::fadvise(&self.file, page, None, Advice::DontNeed)?)
    }

    fn allocate(&self, len: u64) -> io::Result<()> {
        if len == 0 {
            return Ok(());
        }
        loop {
            match rustix::fs::fallocate(&self.file, FallocateFlags::KEEP_SIZE, 0, len) {
                Err(Errno::INTR) => {}
                // Not every file system can; the reservation is for speed alone.
                Ok(()) | Err(Errno::OPNOTSUPP | Errno::NOSYS) => return Ok(()),
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn map(&self, len: usize) -> io::Result<Mapping> {
        if len == 0 {
            return Ok(Mapping::new([]));
        }
        // A page beyond the end of the file would kill the process when touched.
        if self.len()? < len as u64 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        #[expect(unsafe_code, reason = "mapping a file is unsafe: it might shrink")]
        // SAFETY: the contract of `File::map` is that the file no longer changes, and only this
        // process, which holds the directory's lock, writes in it.
        let map = unsafe { MmapOptions::new().len(len).map(&self.file)? };
        Ok(Mapping::new(map))
    }

    fn as_source(self: Arc<Self>) -> Arc<dyn Source> {
        self
    }
}

/// flock: ends with the last descriptor, so a killed process never leaves it behind.
#[derive(Debug)]
struct RealLock {
    _file: fs::File,
}

impl Lock for RealLock {}

/// The largest that Linux has anywhere.
const PAGE_BYTES: u64 = 64 << 10;
/// Linux refuses more in one call (`IOV_MAX`).
const SLICES_PER_CALL_MAX: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;

    fn write(file: &dyn File, bytes: &[u8], position: u64) {
        file.write_all_at(&mut [IoSlice::new(bytes)], position).unwrap();
    }

    #[test]
    fn reads_back_what_many_slices_wrote() {
        let dir = tempfile::tempdir().unwrap();
        let file = RealDisk.open(&dir.path().join("a"), Mode::CreateNew).unwrap();
        let bytes: Vec<u8> = (0..5000_u32).map(|n| n.to_le_bytes()[0]).collect();
        let mut slices: Vec<_> = bytes.chunks(2).map(IoSlice::new).collect();
        slices.insert(0, IoSlice::new(&[]));
        file.write_all_at(&mut slices, 10).unwrap();

        let mut back = vec![1; 6000];
        assert_eq!(file.read_at(&mut back, 0).unwrap(), 5010);
        assert_eq!(back[..10], [0; 10]);
        assert_eq!(back[10..5010], bytes);
        assert_eq!(file.len().unwrap(), 5010);
        assert_eq!(file.read_exact_at(&mut back, 0).unwrap_err().kind(), ErrorKind::UnexpectedEof);
    }

    #[test]
    fn modes_create_or_refuse() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        let kind = |mode| RealDisk.open(&path, mode).map(|_| ()).map_err(|error| error.kind());
        assert_eq!(kind(Mode::Read), Err(ErrorKind::NotFound));
        assert_eq!(kind(Mode::ReadWrite), Err(ErrorKind::NotFound));
        assert_eq!(kind(Mode::CreateOrOpen), Ok(()));
        assert_eq!(kind(Mode::CreateNew), Err(ErrorKind::AlreadyExists));
        let read_only = RealDisk.open(&path, Mode::Read).unwrap();
        assert!(read_only.write_all_at(&mut [IoSlice::new(b"x")], 0).is_err());
    }

    #[test]
    fn a_reservation_leaves_the_length_alone() {
        let dir = tempfile::tempdir().unwrap();
        let file = RealDisk.open(&dir.path().join("a"), Mode::CreateNew).unwrap();
        file.allocate(1 << 20).unwrap();
        file.allocate(0).unwrap();
        assert_eq!(file.len().unwrap(), 0);
        assert!(file.is_empty().unwrap());
    }

    #[test]
    fn a_mapping_shows_the_file_and_never_reaches_past_its_end() {
        let dir = tempfile::tempdir().unwrap();
        let file = RealDisk.open(&dir.path().join("a"), Mode::CreateNew).unwrap();
        write(&*file, b"hello", 0);
        assert_eq!(*file.map(4).unwrap(), *b"hell");
        assert_eq!(*file.map(0).unwrap(), *b"");
        assert_eq!(file.map(6).unwrap_err().kind(), ErrorKind::UnexpectedEof);
    }

    #[test]
    fn directories_list_their_entries_by_name() {
        let dir = tempfile::tempdir().unwrap();
        write(&*RealDisk.open(&dir.path().join("b"), Mode::CreateNew).unwrap(), b"123", 0);
        RealDisk.create_dir_all(&dir.path().join("a/deep")).unwrap();
        RealDisk.sync_dir(dir.path()).unwrap();
        let listed = || RealDisk.read_dir(dir.path()).unwrap();
        let entry = |name: &str, is_dir, len| Entry { name: name.to_owned(), is_dir, len };
        assert_eq!(listed(), [entry("a", true, 0), entry("b", false, 3)]);
        RealDisk.rename(&dir.path().join("b"), &dir.path().join("c")).unwrap();
        RealDisk.remove_dir_all(&dir.path().join("a")).unwrap();
        assert_eq!(listed(), [entry("c", false, 3)]);
        RealDisk.remove_file(&dir.path().join("c")).unwrap();
        assert!(!RealDisk.exists(&dir.path().join("c")));
        assert!(RealDisk.space(dir.path()).unwrap().total > 0);
    }

    #[test]
    fn a_lock_has_one_holder() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(".lock");
        let held = RealDisk.lock(&path).unwrap();
        assert_eq!(RealDisk.lock(&path).unwrap_err().kind(), ErrorKind::WouldBlock);
        drop(held);
        RealDisk.lock(&path).unwrap();
    }
}
