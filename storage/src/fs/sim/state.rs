//! The tree of directories and files, and the count of changes to it.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    io,
    io::ErrorKind,
    path::{Component, Path, PathBuf},
};

use super::{
    super::Entry,
    chance::Chance,
    contents::Contents,
    fault::{Call, Fault},
};

/// A change to the disk, with the paths as they were given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Op {
    Create { path: PathBuf },
    CreateDir { path: PathBuf },
    Write { path: PathBuf, position: u64, len: usize },
    SetLen { path: PathBuf, len: u64 },
    Allocate { path: PathBuf, len: u64 },
    Sync { path: PathBuf },
    Rename { from: PathBuf, to: PathBuf },
    Remove { path: PathBuf },
    SyncDir { path: PathBuf },
    Note(String),
}

#[derive(Debug)]
pub(super) struct State {
    nodes: BTreeMap<u64, Node>,
    next_node: u64,
    /// Files, locks and mappings belong to the life in which they were made.
    pub(super) life: u64,
    /// How many files are open on a node.
    open: BTreeMap<u64, usize>,
    pub(super) locks: BTreeSet<PathBuf>,
    pub(super) capacity: Option<u64>,
    pub(super) files_max: Option<usize>,
    pub(super) faults: Vec<Fault>,
    pub(super) changes: u64,
    pub(super) reads: u64,
    fails_at: Option<u64>,
    pub(super) ops: VecDeque<Op>,
}

#[derive(Clone, Debug)]
enum Node {
    Dir(Dir),
    File(Contents),
}

#[derive(Clone, Debug, Default)]
struct Dir {
    seen: BTreeMap<String, u64>,
    durable: BTreeMap<String, u64>,
    /// What leads from the second to the first, each whole or not at all.
    unsynced: Vec<Vec<Link>>,
}

/// What a name stands for from now on.
type Link = (String, Option<u64>);

impl State {
    pub(super) fn new() -> Self {
        Self {
            nodes: BTreeMap::from([(ROOT, Node::Dir(Dir::default()))]),
            next_node: ROOT + 1,
            life: 0,
            open: BTreeMap::new(),
            locks: BTreeSet::new(),
            capacity: None,
            files_max: None,
            faults: Vec::new(),
            changes: 0,
            reads: 0,
            fails_at: None,
            ops: VecDeque::new(),
        }
    }

    pub(super) fn fork(&self) -> Self {
        Self {
            nodes: self.nodes.clone(),
            next_node: self.next_node,
            life: self.life,
            open: BTreeMap::new(),
            locks: BTreeSet::new(),
            capacity: self.capacity,
            files_max: self.files_max,
            faults: Vec::new(),
            changes: self.changes,
            reads: 0,
            fails_at: self.fails_at,
            ops: self.ops.clone(),
        }
    }

    pub(super) fn fail_after(&mut self, changes: u64) {
        self.fails_at = Some(self.changes.saturating_add(changes));
    }

    pub(super) fn lift_faults(&mut self) {
        self.faults.clear();
        self.fails_at = None;
    }

    pub(super) fn crash(&mut self, seed: u64) {
        let mut chance = Chance::new(seed);
        for node in self.nodes.values_mut() {
            match node {
                Node::Dir(dir) => dir.crash(&mut chance),
                Node::File(contents) => contents.crash(&mut chance),
            }
        }
        self.life += 1;
        self.open.clear();
        self.locks.clear();
        self.faults.clear();
        self.fails_at = None;
        self.forget_unreachable();
    }

    /// Lets a call through that changes nothing, unless the power is off or a fault strikes.
    pub(super) fn admit(&mut self, call: Call, path: &Path) -> io::Result<()> {
        if self.is_off() {
            return Err(io::Error::other("the power is off"));
        }
        let struck = self
            .faults
            .iter_mut()
            .enumerate()
            .find_map(|(index, fault)| fault.strike(call, path).map(|error| (index, error)));
        match struck {
            Some((index, error)) => {
                self.faults.remove(index);
                Err(error)
            }
            None => Ok(()),
        }
    }

    pub(super) fn log(&mut self, op: Op) {
        if self.ops.len() == OPS_KEPT_MAX {
            self.ops.pop_front();
        }
        self.ops.push_back(op);
    }

    /// Bytes of the medium that all files take which have a name.
    pub(super) fn used(&self) -> u64 {
        let named = self.reachable(&[ROOT], |dir, ahead| ahead.extend(dir.seen.values()));
        let files = named.iter().filter_map(|id| match self.nodes.get(id)? {
            Node::File(contents) => Some(contents.used()),
            Node::Dir(_) => None,
        });
        files.sum()
    }

    pub(super) fn opened(&mut self, node: u64) {
        *self.open.entry(node).or_default() += 1;
    }

    pub(super) fn closed(&mut self, node: u64) {
        if let Some(handles) = self.open.get_mut(&node) {
            *handles -= 1;
            if *handles == 0 {
                self.open.remove(&node);
            }
        }
    }

    /// Whether there is a descriptor for one more file or directory.
    pub(super) fn admit_descriptor(&self) -> io::Result<()> {
        let open = self.open.values().sum::<usize>();
        if self.files_max.is_some_and(|max| open >= max) {
            return Err(io::Error::from_raw_os_error(EMFILE));
        }
        Ok(())
    }

    pub(super) fn find(&self, path: &Path) -> io::Result<u64> {
        let mut at = ROOT;
        for name in names(path) {
            let Some(Node::Dir(dir)) = self.nodes.get(&at) else {
                return Err(ErrorKind::NotADirectory.into());
            };
            at = *dir.seen.get(&name).ok_or(ErrorKind::NotFound)?;
        }
        Ok(at)
    }

    pub(super) fn find_file(&self, path: &Path) -> io::Result<u64> {
        let node = self.find(path)?;
        match self.nodes.get(&node) {
            Some(Node::File(_)) => Ok(node),
            _ => Err(ErrorKind::IsADirectory.into()),
        }
    }

    pub(super) fn contents(&mut self, node: u64) -> io::Result<&mut Contents> {
        match self.nodes.get_mut(&node) {
            Some(Node::File(contents)) => Ok(contents),
            _ => Err(ErrorKind::NotFound.into()),
        }
    }

    pub(super) fn read_dir(&mut self, path: &Path) -> io::Result<Vec<Entry>> {
        let dir = self.find(path)?;
        let seen = self.dir(dir)?.seen.clone();
        let entries = seen.into_iter().map(|(name, node)| match self.nodes.get(&node) {
            Some(Node::File(contents)) => Entry { name, is_dir: false, len: contents.len() },
            _ => Entry { name, is_dir: true, len: 0 },
        });
        Ok(entries.collect())
    }

    pub(super) fn create_file(&mut self, path: &Path) -> io::Result<u64> {
        let (parent, name) = self.split(path)?;
        self.change(Call::Create, path, Op::Create { path: path.to_owned() })?;
        self.add(parent, name, Node::File(Contents::default()))
    }

    pub(super) fn create_dir(&mut self, path: &Path) -> io::Result<()> {
        let (parent, name) = self.split(path)?;
        if self.find(path).is_ok() {
            return Err(ErrorKind::AlreadyExists.into());
        }
        self.change(Call::CreateDir, path, Op::CreateDir { path: path.to_owned() })?;
        self.add(parent, name, Node::Dir(Dir::default()))?;
        Ok(())
    }

    pub(super) fn create_dir_all(&mut self, path: &Path) -> io::Result<()> {
        let mut so_far = PathBuf::from("/");
        for name in names(path) {
            so_far.push(name);
            match self.find(&so_far) {
                Ok(node) => drop(self.dir(node)?),
                Err(error) if error.kind() == ErrorKind::NotFound => self.create_dir(&so_far)?,
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    pub(super) fn remove_file(&mut self, path: &Path) -> io::Result<()> {
        self.find_file(path)?;
        self.unlink(path)
    }

    /// As many changes as there are entries, the directory itself last.
    pub(super) fn remove_dir_all(&mut self, path: &Path) -> io::Result<()> {
        for entry in self.read_dir(path)? {
            let inner = path.join(entry.name);
            if entry.is_dir { self.remove_dir_all(&inner)? } else { self.unlink(&inner)? }
        }
        self.unlink(path)
    }

    pub(super) fn rename(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        let (parent, old_name) = self.split(from)?;
        let (new_parent, new_name) = self.split(to)?;
        if parent != new_parent {
            return Err(ErrorKind::CrossesDevices.into());
        }
        let node = self.find(from)?;
        if let Some(Node::Dir(replaced)) = self.find(to).ok().and_then(|at| self.nodes.get(&at))
            && !replaced.seen.is_empty()
        {
            return Err(ErrorKind::DirectoryNotEmpty.into());
        }
        let op = Op::Rename { from: from.to_owned(), to: to.to_owned() };
        self.change(Call::Rename, to, op)?;
        if old_name != new_name {
            self.dir(parent)?.link(vec![(new_name, Some(node)), (old_name, None)]);
        }
        Ok(())
    }

    pub(super) fn sync_dir(&mut self, path: &Path) -> io::Result<()> {
        let dir = self.find(path)?;
        self.change(Call::SyncDir, path, Op::SyncDir { path: path.to_owned() })?;
        self.dir(dir)?.sync();
        self.forget_unreachable();
        Ok(())
    }

    /// As many changes as there are files and directories with something to sync. One that fails
    /// does not keep the others.
    pub(super) fn sync_all(&mut self, path: &Path) -> io::Result<()> {
        let node = self.find(path)?;
        let mut outcome = Ok(());
        let names = self.dir(node)?.seen.clone();
        for (name, inner) in names {
            let at = path.join(name);
            let synced = match self.nodes.get(&inner) {
                Some(Node::Dir(_)) => self.sync_all(&at),
                Some(Node::File(contents)) if !contents.is_synced() => self.sync_data(inner, &at),
                _ => Ok(()),
            };
            outcome = outcome.and(synced);
        }
        if !self.dir(node)?.unsynced.is_empty() {
            outcome = outcome.and(self.sync_dir(path));
        }
        outcome
    }

    pub(super) fn write(
        &mut self,
        node: u64,
        path: &Path,
        bytes: &[u8],
        position: u64,
    ) -> io::Result<()> {
        let start = usize::try_from(position).map_err(|_| ErrorKind::FileTooLarge)?;
        let op = Op::Write { path: path.to_owned(), position, len: bytes.len() };
        let fits = self.room_from(node, position)?.min(bytes.len());
        let off = self.is_off();
        let admitted = self.change(Call::Write, path, op);
        let arrives = match admitted {
            Ok(()) => fits,
            Err(_) if off => 0,
            // Of a write that the medium refuses, a part arrives.
            Err(_) => fits / 2,
        };
        self.contents(node)?.write(bytes.get(..arrives).unwrap_or(bytes), start);
        admitted?;
        if fits < bytes.len() { Err(ErrorKind::StorageFull.into()) } else { Ok(()) }
    }

    pub(super) fn set_len(&mut self, node: u64, path: &Path, len: u64) -> io::Result<()> {
        let whole = usize::try_from(len).map_err(|_| ErrorKind::FileTooLarge)?;
        self.change(Call::SetLen, path, Op::SetLen { path: path.to_owned(), len })?;
        self.contents(node)?.set_len(whole);
        Ok(())
    }

    pub(super) fn allocate(&mut self, node: u64, path: &Path, len: u64) -> io::Result<()> {
        self.change(Call::Allocate, path, Op::Allocate { path: path.to_owned(), len })?;
        if (self.room_from(node, 0)? as u64) < len {
            return Err(ErrorKind::StorageFull.into());
        }
        self.contents(node)?.allocate(len);
        Ok(())
    }

    pub(super) fn sync_data(&mut self, node: u64, path: &Path) -> io::Result<()> {
        let off = self.is_off();
        let synced = self.change(Call::Sync, path, Op::Sync { path: path.to_owned() });
        match synced {
            Ok(()) => self.contents(node)?.sync(),
            Err(_) if !off => self.contents(node)?.lose_dirty(),
            Err(_) => {}
        }
        synced
    }

    fn is_off(&self) -> bool {
        self.fails_at.is_some_and(|at| self.changes >= at)
    }

    fn change(&mut self, call: Call, path: &Path, op: Op) -> io::Result<()> {
        self.admit(call, path)?;
        self.changes += 1;
        self.log(op);
        Ok(())
    }

    fn unlink(&mut self, path: &Path) -> io::Result<()> {
        let (parent, name) = self.split(path)?;
        self.change(Call::Remove, path, Op::Remove { path: path.to_owned() })?;
        self.dir(parent)?.link(vec![(name, None)]);
        Ok(())
    }

    fn add(&mut self, parent: u64, name: String, node: Node) -> io::Result<u64> {
        let id = self.next_node;
        self.next_node += 1;
        self.dir(parent)?.link(vec![(name, Some(id))]);
        self.nodes.insert(id, node);
        Ok(id)
    }

    fn dir(&mut self, node: u64) -> io::Result<&mut Dir> {
        match self.nodes.get_mut(&node) {
            Some(Node::Dir(dir)) => Ok(dir),
            _ => Err(ErrorKind::NotADirectory.into()),
        }
    }

    /// The directory that a path lies in, and its name there.
    fn split(&mut self, path: &Path) -> io::Result<(u64, String)> {
        let name = names(path).next_back().ok_or(ErrorKind::InvalidInput)?;
        let parent = self.find(path.parent().unwrap_or(Path::new("/")))?;
        self.dir(parent)?;
        Ok((parent, name))
    }

    /// How many bytes a write at `position` may have before the disk is full.
    fn room_from(&mut self, node: u64, position: u64) -> io::Result<usize> {
        let Some(capacity) = self.capacity else { return Ok(usize::MAX) };
        let free = capacity.saturating_sub(self.used());
        let taken = self.contents(node)?.used().saturating_sub(position);
        Ok(usize::try_from(free.saturating_add(taken)).unwrap_or(usize::MAX))
    }

    /// Drops what has no name, on the medium or off it, and is not open.
    fn forget_unreachable(&mut self) {
        let mut roots = vec![ROOT];
        roots.extend(self.open.keys());
        let reached = self.reachable(&roots, |dir, ahead| {
            ahead.extend(dir.seen.values());
            ahead.extend(dir.durable.values());
            ahead.extend(dir.unsynced.iter().flatten().filter_map(|(_, node)| *node));
        });
        self.nodes.retain(|id, _| reached.contains(id));
    }

    fn reachable(&self, roots: &[u64], step: impl Fn(&Dir, &mut Vec<u64>)) -> BTreeSet<u64> {
        let mut reached = BTreeSet::new();
        let mut ahead = roots.to_vec();
        while let Some(id) = ahead.pop() {
            if reached.insert(id)
                && let Some(Node::Dir(dir)) = self.nodes.get(&id)
            {
                step(dir, &mut ahead);
            }
        }
        reached
    }
}

impl Dir {
    fn link(&mut self, links: Vec<Link>) {
        apply(&mut self.seen, &links);
        self.unsynced.push(links);
    }

    fn sync(&mut self) {
        self.durable.clone_from(&self.seen);
        self.unsynced.clear();
    }

    fn crash(&mut self, chance: &mut Chance) {
        let kept = chance.up_to(self.unsynced.len() as u64);
        for links in self.unsynced.drain(..).take(usize::try_from(kept).unwrap_or(usize::MAX)) {
            apply(&mut self.durable, &links);
        }
        self.seen.clone_from(&self.durable);
    }
}

fn apply(names: &mut BTreeMap<String, u64>, links: &[Link]) {
    for (name, node) in links {
        match node {
            Some(node) => names.insert(name.clone(), *node),
            None => names.remove(name),
        };
    }
}

fn names(path: &Path) -> impl DoubleEndedIterator<Item = String> {
    path.components().filter_map(|component| match component {
        Component::Normal(name) => Some(name.to_string_lossy().into_owned()),
        _ => None,
    })
}

const ROOT: u64 = 0;
const EMFILE: i32 = 24;
/// Enough for any test that looks at them.
pub const OPS_KEPT_MAX: usize = 1 << 20;
