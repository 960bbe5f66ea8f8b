//! A broker in a process of its own, which can be killed without a chance to say farewell.

#![allow(clippy::disallowed_methods, reason = "reads what the broker tells, and what it takes")]

use std::{
    fs,
    net::SocketAddr,
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::NamedTempFile;

use crate::{
    RawClient,
    wait::{START_PATIENCE, wait_within},
    wait_until,
};

/// What to run: the broker's program, perhaps under another one.
#[derive(Clone, Debug)]
pub struct Program {
    words: Vec<String>,
}

impl Program {
    #[must_use]
    pub fn new(path: &str) -> Self {
        Self { words: vec![path.to_owned()] }
    }

    /// The broker's program, which has commands of other kinds, too.
    #[must_use]
    pub fn path(&self) -> &str {
        self.words.last().map_or("", String::as_str)
    }

    /// Has it run by `words`, which must turn into the broker's own process.
    #[must_use]
    pub fn under(self, words: &[&str]) -> Self {
        let words = words.iter().map(|&word| word.to_owned());
        Self { words: words.chain(self.words).collect() }
    }

    /// Starts a broker on `data` and returns once it listens.
    ///
    /// # Panics
    /// If it ends before.
    #[must_use]
    pub fn start(&self, data: &Path, settings: &[&str]) -> Process {
        self.try_start(data, settings).unwrap_or_else(|told| panic!("it ended: {told}"))
    }

    /// As [`Program::start`], or what a broker told that ended instead.
    ///
    /// # Errors
    /// It did not start.
    pub fn try_start(&self, data: &Path, settings: &[&str]) -> Result<Process, String> {
        let (mut child, told) = self.spawn(data, settings);
        let (mut address, mut ended) = (None, false);
        wait_within(START_PATIENCE, "a broker that listens", || {
            ended = child.ended().is_some();
            address = address_in(&read(&told));
            address.is_some() || ended
        });
        match address {
            Some(address) if !ended => Ok(Process { child, told, address }),
            _ => Err(read(&told)),
        }
    }

    /// Runs one that must not start, and returns what it told.
    ///
    /// # Panics
    /// If it does, or ends in another way than by saying why.
    #[must_use]
    pub fn refused(&self, data: &Path, settings: &[&str]) -> String {
        let (mut child, told) = self.spawn(data, settings);
        let mut status = None;
        wait_until("a broker that refuses to start", || {
            status = child.ended();
            status.is_some()
        });
        let told = read(&told);
        assert_eq!(status.and_then(|status| status.code()), Some(1), "{told}");
        told
    }

    fn spawn(&self, data: &Path, settings: &[&str]) -> (KilledAtEnd, NamedTempFile) {
        let told = NamedTempFile::new().expect("make a file");
        let log_dirs = format!("log.dirs={}", data.display());
        let own = ["listeners=PLAINTEXT://127.0.0.1:0", &log_dirs];
        let (program, words) = self.words.split_first().expect("a program");
        let child = Command::new(program)
            .args(words)
            .arg("serve")
            .args(own.iter().chain(settings).flat_map(|&setting| ["--set", setting]))
            .env("MILENA_LOG", "info")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(told.reopen().expect("open a file"))
            .spawn()
            .expect("start a broker");
        (KilledAtEnd(child), told)
    }
}

/// One run of a broker. Dropping it kills it.
#[derive(Debug)]
pub struct Process {
    child: KilledAtEnd,
    /// What it told on stderr so far.
    told: NamedTempFile,
    address: SocketAddr,
}

impl Process {
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    #[must_use]
    pub fn connect(&self) -> RawClient {
        RawClient::connect(self.address)
    }

    #[must_use]
    pub fn told(&self) -> String {
        read(&self.told)
    }

    /// Memory that it has of the machine, programs and mapped files included.
    #[must_use]
    pub fn resident_bytes(&self) -> u64 {
        self.memory("VmRSS:")
    }

    /// The most that [`Process::resident_bytes`] ever was.
    #[must_use]
    pub fn peak_resident_bytes(&self) -> u64 {
        self.memory("VmHWM:")
    }

    /// Descriptors that it has open.
    ///
    /// # Panics
    /// If it does not run any more.
    #[must_use]
    pub fn open_files(&self) -> usize {
        let listed = fs::read_dir(format!("/proc/{}/fd", self.child.0.id()));
        listed.expect("ask the system about the broker").count()
    }

    /// SIGKILL.
    pub fn kill(self) {
        drop(self);
    }

    /// SIGTERM, and waits for the end; what it told.
    ///
    /// # Panics
    /// If it does not end well.
    pub fn stop(mut self) -> String {
        let id = i32::try_from(self.child.0.id()).ok().and_then(Pid::from_raw).expect("an id");
        kill_process(id, Signal::TERM).expect("signal the broker");
        let mut status: Option<ExitStatus> = None;
        wait_until("a broker that stops", || {
            status = self.child.ended();
            status.is_some()
        });
        let told = self.told();
        assert!(status.is_some_and(|status| status.success()), "{status:?}: {told}");
        told
    }

    fn memory(&self, which: &str) -> u64 {
        let status = format!("/proc/{}/status", self.child.0.id());
        let status = fs::read_to_string(status).expect("ask the system about the broker");
        let line = status.lines().find_map(|line| line.strip_prefix(which));
        let kilobytes = line.and_then(|line| line.split_whitespace().next()).expect("a size");
        kilobytes.parse::<u64>().expect("a size") << 10
    }
}

#[derive(Debug)]
struct KilledAtEnd(Child);

impl KilledAtEnd {
    fn ended(&mut self) -> Option<ExitStatus> {
        self.0.try_wait().expect("look after the broker")
    }
}

impl Drop for KilledAtEnd {
    fn drop(&mut self) {
        // It may have ended by itself, which whoever talks to it notices.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The port that the system gave it.
fn address_in(told: &str) -> Option<SocketAddr> {
    let line = told.lines().find(|line| line.contains("listening"))?;
    line.split_once("address=")?.1.split_whitespace().next()?.parse().ok()
}

fn read(told: &NamedTempFile) -> String {
    fs::read_to_string(told.path()).expect("read what the broker told")
}
