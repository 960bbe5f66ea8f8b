//! A broker of one's own, in this process: port 0 and a temporary directory.

use std::{collections::BTreeMap, net::SocketAddr, sync::Arc, time::Duration};

use milena_broker::{
    clock::{Clock, ManualClock},
    config::BrokerConfig,
    services::Services,
    wiring::{Broker, Running, Seams},
};
use milena_protocol::Timestamp;
use milena_storage::fs::{Disk, Pool, RealDisk};
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};

use crate::RawClient;

/// Stops, and takes its directory with it, when dropped.
#[derive(Debug)]
pub struct TestBroker {
    runtime: Runtime,
    running: Option<Running>,
    directory: TempDir,
    settings: BTreeMap<String, String>,
    clock: TestClock,
    disk: Arc<dyn Disk>,
}

/// Which time a broker lives in.
#[derive(Clone, Debug)]
pub enum TestClock {
    Real,
    /// It passes when the test says so.
    Manual(Arc<ManualClock>),
}

impl TestClock {
    #[must_use]
    pub fn manual() -> (Self, Arc<ManualClock>) {
        let clock = Arc::new(ManualClock::at(Timestamp(1_700_000_000_000)));
        (Self::Manual(Arc::clone(&clock)), clock)
    }
}

impl TestBroker {
    /// A broker with these settings, which listens and stores where nobody else does.
    #[must_use]
    pub fn start(settings: &[(&str, &str)]) -> Self {
        Self::start_in(TestClock::Real, settings)
    }

    /// As [`TestBroker::start`], in another time.
    ///
    /// # Panics
    /// If it does not start.
    #[must_use]
    pub fn start_in(clock: TestClock, settings: &[(&str, &str)]) -> Self {
        let disk = Pool::new(Arc::new(RealDisk), OPEN_FILES_MAX);
        Self::start_with(clock, Arc::new(disk), settings)
    }

    /// As [`TestBroker::start_in`], on a disk of the test's.
    ///
    /// # Panics
    /// If it does not start.
    #[must_use]
    pub fn start_with(clock: TestClock, disk: Arc<dyn Disk>, settings: &[(&str, &str)]) -> Self {
        let directory = TempDir::new().expect("make a temporary directory");
        let own = [
            ("listeners", "PLAINTEXT://127.0.0.1:0".to_owned()),
            ("log.dirs", directory.path().join("data").display().to_string()),
        ];
        let given = settings.iter().map(|&(key, value)| (key, value.to_owned()));
        let settings = own.into_iter().chain(given);
        let settings = settings.map(|(key, value)| (key.to_owned(), value)).collect();
        let runtime = Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .expect("make a runtime");
        let mut broker = Self { runtime, running: None, directory, settings, clock, disk };
        broker.start_again();
        broker
    }

    /// Stops it as SIGTERM does and starts it on the same directory.
    pub fn restart(&mut self) {
        self.stop();
        self.start_again();
    }

    /// Where the first listener listens. A restart may change it.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.running().addresses().first().copied().expect("a listener")
    }

    #[must_use]
    pub fn connect(&self) -> RawClient {
        RawClient::connect(self.address())
    }

    #[must_use]
    pub fn services(&self) -> &Arc<Services> {
        self.running().services()
    }

    /// Where it stores.
    #[must_use]
    pub fn data(&self) -> std::path::PathBuf {
        self.directory.path().join("data")
    }

    /// The present value of a metric, all labels added up, or of one label.
    #[must_use]
    pub fn metric(&self, name: &str, label: Option<&str>) -> i64 {
        let samples = self.services().metrics.snapshot();
        let of_name = samples.iter().filter(|sample| sample.name.name == name);
        of_name
            .filter(|sample| label.is_none_or(|label| *sample.label == *label))
            .map(|sample| sample.value)
            .sum()
    }

    /// Stops it as SIGTERM does.
    pub fn stop(&mut self) {
        if let Some(running) = self.running.take() {
            self.runtime.block_on(running.stop(STOP_GRACE));
        }
    }

    /// Starts it on the same directory after [`TestBroker::stop`].
    ///
    /// # Panics
    /// If it does not start.
    pub fn start_again(&mut self) {
        let config = BrokerConfig::from_settings(self.settings.clone()).expect("valid settings");
        let started = self.runtime.block_on(async {
            let mut seams = Seams::real(&config);
            seams.disk = Arc::clone(&self.disk);
            if let TestClock::Manual(clock) = &self.clock {
                seams.clock = Arc::clone(clock) as Arc<dyn Clock>;
            }
            Broker::start(config, seams).await
        });
        self.running = Some(started.expect("start a broker"));
    }

    fn running(&self) -> &Running {
        self.running.as_ref().expect("a broker that runs")
    }
}

impl Drop for TestBroker {
    fn drop(&mut self) {
        self.stop();
    }
}

const STOP_GRACE: Duration = Duration::from_secs(5);

/// So few that files are closed and opened again all the time, as in a broker of many partitions.
const OPEN_FILES_MAX: usize = 16;
