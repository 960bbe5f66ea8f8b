//! A broker in a process of its own, which can be killed without a chance to say farewell.

use std::{
    fs::{self, File},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
};

use milena_tests::wait_until;

/// One run of a broker. Dropping it kills it.
pub(crate) struct Process {
    child: KilledAtEnd,
    /// What it told on stderr so far.
    told: PathBuf,
    address: SocketAddr,
}

impl Process {
    /// Returns once it listens.
    pub(crate) fn start(data: &Path, settings: &[&str]) -> Self {
        let (mut child, told) = spawn(data, settings);
        let mut address = None;
        wait_until("a broker that listens", || {
            address = address_in(&read(&told));
            let ended = child.0.try_wait().expect("look after the broker");
            assert!(address.is_some() || ended.is_none(), "it ended: {}", read(&told));
            address.is_some()
        });
        Self { child, told, address: address.expect("an address") }
    }

    /// Runs one that must not start, and returns what it told.
    pub(crate) fn refused(data: &Path, settings: &[&str]) -> String {
        let (mut child, told) = spawn(data, settings);
        let mut status = None;
        wait_until("a broker that refuses to start", || {
            status = child.0.try_wait().expect("look after the broker");
            status.is_some()
        });
        let told = read(&told);
        assert_eq!(status.and_then(|status| status.code()), Some(1), "{told}");
        told
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn told(&self) -> String {
        read(&self.told)
    }

    /// SIGKILL.
    pub(crate) fn kill(self) {
        drop(self);
    }

    /// SIGTERM, and waits for the end; what it told.
    pub(crate) fn stop(mut self) -> String {
        let signal = format!("kill -TERM {}", self.child.0.id());
        let sent = Command::new("sh").args(["-c", &signal]).status().expect("run a shell");
        assert!(sent.success(), "{signal}");
        let mut status: Option<ExitStatus> = None;
        wait_until("a broker that stops", || {
            status = self.child.0.try_wait().expect("look after the broker");
            status.is_some()
        });
        let told = self.told();
        assert!(status.is_some_and(|status| status.success()), "{status:?}: {told}");
        told
    }
}

struct KilledAtEnd(Child);

impl Drop for KilledAtEnd {
    fn drop(&mut self) {
        // It may have ended by itself, which whoever talks to it notices.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn spawn(data: &Path, settings: &[&str]) -> (KilledAtEnd, PathBuf) {
    let beside = data.parent().expect("a directory around the data");
    let runs = fs::read_dir(beside).expect("list the test's directory").count();
    let told = beside.join(format!("stderr-{runs}"));
    let log_dirs = format!("log.dirs={}", data.display());
    let own = ["listeners=PLAINTEXT://127.0.0.1:0", &log_dirs];
    let child = Command::new(env!("CARGO_BIN_EXE_milena-to-kill"))
        .arg("serve")
        .args(own.iter().chain(settings).flat_map(|&setting| ["--set", setting]))
        .env("MILENA_LOG", "info")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(File::create(&told).expect("make a file"))
        .spawn()
        .expect("start a broker");
    (KilledAtEnd(child), told)
}

/// The port that the system gave it.
fn address_in(told: &str) -> Option<SocketAddr> {
    let line = told.lines().find(|line| line.contains("listening"))?;
    line.split_once("address=")?.1.split_whitespace().next()?.parse().ok()
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).expect("read what the broker told")
}
