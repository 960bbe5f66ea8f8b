//! `milena serve`: a broker, until it is told to stop.

use std::{
    io::{self, IsTerminal},
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::Context;
use clap::Args;
use milena_storage::fs::{Disk, Mode, RealDisk};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing::{error, info};
use tracing_subscriber::EnvFilter;

use super::allow_many_files;
use crate::{
    config::{BrokerConfig, Settings, parse_assignment, parse_properties},
    wiring::{Broker, Seams},
};

/// Start a broker
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  milena serve
  milena serve --config server.properties
  milena serve --set listeners=PLAINTEXT://0.0.0.0:9092 --set log.dirs=/var/lib/milena

Without any setting it listens on 127.0.0.1:9092 and keeps its data in ./milena-data. SIGTERM and \
SIGINT stop it after the requests at hand; a second one stops it at once. The environment's \
MILENA_LOG (error, warn, info, debug, trace) says how much it tells.")]
pub(super) struct Serve {
    /// Settings under Kafka's names, a file of key=value lines
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// One more setting; it beats the file's
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
}

impl Serve {
    pub(super) fn run(&self) -> anyhow::Result<()> {
        let config = self.settings()?;
        tell();
        allow_many_files();
        let mut runtime = tokio::runtime::Builder::new_multi_thread();
        // 0 leaves it to the runtime: one per core.
        if let Some(threads) = usize::try_from(config.network_threads).ok().filter(|&n| n > 0) {
            runtime.worker_threads(threads);
        }
        runtime.enable_all().thread_name("milena").build()?.block_on(serve(config))
    }

    fn settings(&self) -> anyhow::Result<BrokerConfig> {
        let mut settings = match &self.config {
            Some(path) => {
                let text = read(path).with_context(|| format!("read {}", path.display()))?;
                parse_properties(&text)
                    .map_err(|line| anyhow::anyhow!("{}: {line}", path.display()))?
            }
            None => Settings::new(),
        };
        for assignment in &self.set {
            let (key, value) =
                parse_assignment(assignment).map_err(|line| anyhow::anyhow!("--set: {line}"))?;
            settings.insert(key, value);
        }
        BrokerConfig::from_settings(settings).map_err(|wrong| {
            let lines: Vec<String> = wrong.iter().map(ToString::to_string).collect();
            anyhow::anyhow!(lines.join("\n"))
        })
    }
}

async fn serve(config: BrokerConfig) -> anyhow::Result<()> {
    let (mut terminate, mut interrupt) =
        (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let seams = Seams::real(&config);
    let running = Broker::start(config, seams).await?;
    told_to_stop(&mut terminate, &mut interrupt).await;
    info!("stopping; the next signal stops it at once");
    tokio::select! {
        () = running.stop(GRACE) => Ok(()),
        () = told_to_stop(&mut terminate, &mut interrupt) => {
            error!("stopped at once");
            std::process::exit(INTERRUPTED)
        }
    }
}

async fn told_to_stop(terminate: &mut Signal, interrupt: &mut Signal) {
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
}

/// Sends what the broker has to tell to stderr, panics included.
fn tell() {
    let filter = EnvFilter::try_from_env(LOG_VARIABLE).unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal())
        .with_target(false)
        .init();
    std::panic::set_hook(Box::new(|panic| {
        let thread = std::thread::current();
        error!(thread = thread.name(), "{panic}");
    }));
}

fn read(path: &Path) -> anyhow::Result<String> {
    let file = RealDisk.open(path, Mode::Read)?;
    let mut bytes = vec![0; usize::try_from(file.len()?)?];
    file.read_exact_at(&mut bytes, 0)?;
    Ok(String::from_utf8(bytes)?)
}

const LOG_VARIABLE: &str = "MILENA_LOG";
/// Longer than a client's longest wait for records or acknowledgements is by default.
const GRACE: Duration = Duration::from_secs(30);
/// What a shell makes of a process that SIGINT ended.
const INTERRUPTED: i32 = 130;
