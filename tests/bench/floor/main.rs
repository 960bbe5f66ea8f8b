//! The floor: what a broker cannot do without, and nothing else.
//!
//! It speaks as much of the protocol as `milena bench produce` and `milena bench consume` need, so
//! that one generator measures it and the brokers beside it. A produce of one batch to one
//! partition is received into a buffer that is used again, its CRC32C is checked, it is written to
//! the page cache and answered; with `--sync` the answer waits for an `fdatasync`, which it shares
//! with whatever else was written before that. A fetch is a header and `sendfile`. There is a
//! thread for each connection. Nothing is kept beyond a run, and no input is expected but the
//! generator's.

#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a program of its own, which the broker's seams do not reach"
)]

mod answers;

use std::{
    collections::HashMap,
    fs::File,
    io::{self, Read, Write},
    mem,
    net::{TcpListener, TcpStream},
    os::unix::fs::FileExt,
    path::PathBuf,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
};

use answers::{Ask, FetchAsk, Key, ProduceAsk, number};
use anyhow::{Context, bail, ensure};
use rustix::net::SendFlags;

/// `milena-floor ADDRESS DIRECTORY [--sync]`: prints a line once it listens.
fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [address, directory, rest @ ..] = arguments.as_slice() else {
        bail!("milena-floor ADDRESS DIRECTORY [--sync]");
    };
    let syncs = rest.iter().any(|it| it == "--sync");
    let listener = TcpListener::bind(address).context("listen")?;
    let port = listener.local_addr()?.port();
    let floor = Arc::new(Floor {
        directory: directory.into(),
        port,
        partitions: Mutex::default(),
        syncer: Syncer::default(),
        syncs,
    });
    std::fs::create_dir_all(directory).context("make the directory")?;
    if syncs {
        let floor = Arc::clone(&floor);
        thread::spawn(move || floor.syncer.run());
    }
    println!("listening on {}", listener.local_addr()?);
    for socket in listener.incoming() {
        let (socket, floor) = (socket?, Arc::clone(&floor));
        // A connection that ends, ends its thread.
        thread::spawn(move || serve(&floor, &Arc::new(socket)));
    }
    Ok(())
}

struct Floor {
    directory: PathBuf,
    port: u16,
    partitions: Mutex<HashMap<Key, Arc<Partition>>>,
    syncer: Syncer,
    syncs: bool,
}

struct Partition {
    file: File,
    state: Mutex<Batches>,
}

/// Where each batch lies, by its base offset.
#[derive(Default)]
struct Batches {
    starts: Vec<(i64, u64)>,
    next: i64,
    end: u64,
}

fn serve(floor: &Floor, socket: &Arc<TcpStream>) -> anyhow::Result<()> {
    socket.set_nodelay(true)?;
    let mut frame = Vec::new();
    let mut known: Option<(Key, Arc<Partition>)> = None;
    loop {
        read_frame(socket, &mut frame)?;
        match answers::parse(&frame, floor.port)? {
            Ask::Answered(answer) => (&**socket).write_all(&answer)?,
            Ask::Produce(ask) => {
                let partition = floor.partition(&mut known, ask.partition)?;
                if floor.syncs && ask.waits_for_sync {
                    floor.syncer.announce();
                    let answer = partition.append(&mut frame, &ask)?;
                    let socket = Arc::clone(socket);
                    floor.syncer.after_sync(Unsynced { partition, socket, answer });
                } else {
                    (&**socket).write_all(&partition.append(&mut frame, &ask)?)?;
                }
            }
            Ask::Fetch(ask) => floor.partition(&mut known, ask.partition)?.send(socket, &ask)?,
        }
    }
}

fn read_frame(mut socket: &TcpStream, frame: &mut Vec<u8>) -> io::Result<()> {
    let mut length = [0; 4];
    socket.read_exact(&mut length)?;
    let length = usize::try_from(i32::from_be_bytes(length)).unwrap_or(0);
    // It is overwritten, not cleared: a frame of the same size costs no more than its bytes.
    if frame.len() < length {
        frame.resize(length, 0);
    }
    frame.truncate(length);
    socket.read_exact(frame)
}

impl Floor {
    fn partition(
        &self,
        known: &mut Option<(Key, Arc<Partition>)>,
        key: Key,
    ) -> anyhow::Result<Arc<Partition>> {
        if let Some((_, partition)) = known.as_ref().filter(|(it, _)| *it == key) {
            return Ok(Arc::clone(partition));
        }
        let mut partitions = self.partitions.lock().unwrap_or_else(PoisonError::into_inner);
        let partition = match partitions.get(&key) {
            Some(partition) => Arc::clone(partition),
            None => {
                let (topic, index) = key;
                let name = format!("{:032x}-{index}", u128::from_be_bytes(topic));
                let file = File::options()
                    .create(true)
                    .truncate(true)
                    .read(true)
                    .write(true)
                    .open(self.directory.join(name))?;
                let made = Arc::new(Partition { file, state: Mutex::default() });
                partitions.insert(key, Arc::clone(&made));
                made
            }
        };
        *known = Some((key, Arc::clone(&partition)));
        Ok(partition)
    }
}

impl Partition {
    /// Checks and writes the batch that lies in the frame, and makes the answer.
    fn append(&self, frame: &mut [u8], ask: &ProduceAsk) -> anyhow::Result<Vec<u8>> {
        let batch = frame.get_mut(ask.batch.clone()).context("a whole batch")?;
        let checked = batch.get(21..).context("a whole header")?;
        ensure!(crc32c::crc32c(checked) == u32::from_be_bytes(number(batch, 17)?), "damaged");
        let delta = i32::from_be_bytes(number(batch, 23)?);
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let (base, position) = (state.next, state.end);
        *batch.first_chunk_mut().context("a whole header")? = base.to_be_bytes();
        self.file.write_all_at(batch, position)?;
        state.starts.push((base, position));
        state.next += i64::from(delta) + 1;
        state.end += batch.len() as u64;
        Ok(answers::produced(ask, base))
    }

    /// Sends whole batches from the one with the offset asked for, as many as fit.
    fn send(&self, socket: &TcpStream, ask: &FetchAsk) -> anyhow::Result<()> {
        let (next, mut from, until) = {
            let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            let at = state.starts.partition_point(|&(base, _)| base < ask.offset);
            let from = state.starts.get(at).map_or(state.end, |&(_, position)| position);
            let limit = from + ask.max_bytes;
            let behind = state.starts.get(at + 1..).unwrap_or_default();
            let fits = behind.partition_point(|&(_, position)| position <= limit);
            let until = match behind.get(fits.saturating_sub(1)) {
                Some(_) if state.end <= limit => state.end,
                Some(&(_, position)) => position,
                None => state.end,
            };
            (state.next, from, until)
        };
        let header = answers::fetched(ask, next, until - from);
        let more = if until > from { SendFlags::MORE } else { SendFlags::empty() };
        let mut rest = header.as_slice();
        while !rest.is_empty() {
            let sent = rustix::net::send(socket, rest, more)?;
            rest = rest.get(sent..).unwrap_or_default();
        }
        while from < until {
            let left = usize::try_from(until - from)?;
            rustix::fs::sendfile(socket, &self.file, Some(&mut from), left)?;
        }
        // The tagged fields that end partition, topic and answer.
        Ok((&*socket).write_all(&answers::FETCH_ENDS)?)
    }
}

/// Group commit: answers wait for the next sync, and all that wait share it.
#[derive(Default)]
struct Syncer {
    queue: Mutex<Queue>,
    arrived: Condvar,
}

#[derive(Default)]
struct Queue {
    /// Requests that have come so far, and those of them that are written.
    announced: u64,
    written: u64,
    waiting: Vec<Unsynced>,
}

/// An answer that may go once its partition is synced.
struct Unsynced {
    partition: Arc<Partition>,
    socket: Arc<TcpStream>,
    answer: Vec<u8>,
}

impl Syncer {
    fn announce(&self) {
        self.queue().announced += 1;
    }

    fn after_sync(&self, written: Unsynced) {
        let mut queue = self.queue();
        queue.written += 1;
        queue.waiting.push(written);
        self.arrived.notify_one();
    }

    fn run(&self) {
        let mut group = Vec::new();
        loop {
            {
                let is_empty = |queue: &mut Queue| queue.waiting.is_empty();
                let queue = self.arrived.wait_while(self.queue(), is_empty);
                let queue = queue.unwrap_or_else(PoisonError::into_inner);
                // Whoever is about to write does so first: an append may have to wait for a sync of
                // its page, and the next sync would begin for it alone.
                let all = queue.announced;
                let are_missing = |queue: &mut Queue| queue.written < all;
                let queue = self.arrived.wait_while(queue, are_missing);
                let mut queue = queue.unwrap_or_else(PoisonError::into_inner);
                mem::swap(&mut queue.waiting, &mut group);
            }
            let mut synced: Vec<*const Partition> = Vec::new();
            for Unsynced { partition, .. } in &group {
                if !synced.contains(&Arc::as_ptr(partition)) {
                    synced.push(Arc::as_ptr(partition));
                    partition.file.sync_data().expect("a disk that works");
                }
            }
            for Unsynced { socket, answer, .. } in group.drain(..) {
                // A client that is gone needs no answer.
                let _ = (&*socket).write_all(&answer);
            }
        }
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
