//! `milena bench`: loads for any Kafka-compatible broker, and what it makes of them.
//!
//! The generator has to cost far less than the broker. So requests are encoded once and sent again
//! and again, answers are read in place, many are in flight, and one thread serves many
//! connections.

mod connections;
mod consume;
mod groups;
mod latency;
mod meter;
mod pace;
mod partitions;
mod produce;
mod report;
mod target;
mod txn;

use std::{sync::Arc, time::Duration};

use anyhow::Context;
use clap::{Args, Subcommand};
use tokio::task::JoinSet;

use super::{
    Outcome, Target, allow_many_files, output,
    produce::{CodecArg, acks},
};
use meter::Meter;
use report::Report;

/// Measure a broker under a load of one's choice
///
/// Works against any broker that speaks Kafka's protocol. Latencies count from the moment at which
/// a request was meant to be sent, so with --rate a stall shows in all requests that it delayed.
#[derive(Debug, Subcommand)]
pub(super) enum Bench {
    Produce(produce::Produce),
    Consume(consume::Consume),
    Latency(latency::Latency),
    Groups(groups::Groups),
    Connections(connections::Connections),
    Partitions(partitions::Partitions),
    Txn(txn::Txn),
}

impl Bench {
    pub(super) fn run(self) -> anyhow::Result<Outcome> {
        let threads = self.common().threads;
        let mut runtime = match threads {
            0 | 1 => tokio::runtime::Builder::new_current_thread(),
            _ => tokio::runtime::Builder::new_multi_thread(),
        };
        if threads > 1 {
            runtime.worker_threads(threads);
        }
        let json = self.common().json;
        let report = runtime.enable_all().build()?.block_on(async {
            match self {
                Self::Produce(load) => load.run().await,
                Self::Consume(load) => load.run().await,
                Self::Latency(load) => load.run().await,
                Self::Groups(load) => load.run().await,
                Self::Connections(load) => load.run().await,
                Self::Partitions(load) => load.run().await,
                Self::Txn(load) => load.run().await,
            }
        })?;
        report.print(json)?;
        Ok(Outcome::Done)
    }

    fn common(&self) -> &Common {
        match self {
            Self::Produce(load) => &load.common,
            Self::Consume(load) => &load.common,
            Self::Latency(load) => &load.common,
            Self::Groups(load) => &load.common,
            Self::Connections(load) => &load.common,
            Self::Partitions(load) => &load.common,
            Self::Txn(load) => &load.common,
        }
    }
}

/// What all loads share.
#[derive(Args, Debug)]
struct Common {
    /// Threads that make the load
    #[arg(long, default_value_t = 1)]
    threads: usize,
    /// Print one JSON object instead of a table
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    length: Length,
    #[command(flatten)]
    target: Target,
}

/// How long a load runs.
#[derive(Args, Clone, Debug)]
struct Length {
    /// Seconds that are measured
    #[arg(long, default_value_t = 10.0, value_parser = seconds)]
    seconds: f64,
    /// Seconds before, that are not
    #[arg(long, default_value_t = 2.0, value_parser = seconds)]
    warmup: f64,
    /// Stop when so many MB (10^6 bytes) were moved, warm-up included
    #[arg(long)]
    mb: Option<u64>,
}

/// Runs one task per connection until all have ended; the first failure ends them all.
async fn run_all(
    meter: &Meter,
    mut connections: JoinSet<anyhow::Result<()>>,
) -> anyhow::Result<()> {
    let all = async {
        while let Some(ended) = connections.join_next().await {
            ended.context("run a connection")??;
        }
        Ok(())
    };
    tokio::select! {
        ended = all => ended,
        () = meter.show_progress() => Ok(()),
    }
}

/// The time between requests of one of `connections` that make `rate` requests a second together,
/// and how much later than the one before it each begins.
fn spread(rate: f64, connections: usize) -> (Duration, Duration) {
    let apart = Duration::from_secs_f64(1.0 / rate);
    (apart * u32::try_from(connections).unwrap_or(u32::MAX), apart)
}

fn seconds(text: &str) -> Result<f64, String> {
    positive(text).or_else(|error| if text == "0" { Ok(0.0) } else { Err(error) })
}

fn positive(text: &str) -> Result<f64, String> {
    let number = text.parse().ok().filter(|&number: &f64| number > 0.0 && number < 1e9);
    number.ok_or_else(|| "a number above 0".to_owned())
}

type SharedMeter = Arc<Meter>;
