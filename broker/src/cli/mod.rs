//! The command line: parse, call, print.
//!
//! | exit code | meaning                                               |
//! |-----------|-------------------------------------------------------|
//! | 0         | done                                                  |
//! | 1         | a broker or the disk refused; the reason is on stderr |
//! | 2         | the command line itself is wrong                      |
//! | 3         | no broker could be reached in time                    |
//! | 4         | `log verify` or `log dump` found damage               |

mod bench;
mod completion;
mod config;
mod consume;
mod group;
mod log;
mod output;
mod produce;
mod serve;
mod topic;
mod txn;

use std::{process::ExitCode, time::Duration};

use clap::{Args, Parser, Subcommand};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tracing::warn;

use crate::client::{ClientError, Cluster};

/// A Kafka-compatible partitioned log broker, and the tools to talk to one.
#[derive(Debug, Parser)]
#[command(name = "milena", version, propagate_version = true, max_term_width = 100)]
struct Command {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    Serve(serve::Serve),
    #[command(subcommand)]
    Topic(topic::Topic),
    Produce(produce::Produce),
    Consume(consume::Consume),
    #[command(subcommand)]
    Config(config::Config),
    #[command(subcommand)]
    Group(group::Group),
    #[command(subcommand)]
    Txn(txn::Txn),
    #[command(subcommand)]
    Log(log::Log),
    #[command(subcommand)]
    Bench(bench::Bench),
    Completion(completion::Completion),
}

/// Which cluster to talk to, and how long to wait for it.
#[derive(Args, Debug)]
struct Target {
    /// Brokers to start from, host:port, separated by commas
    #[arg(
        short = 'b',
        long,
        value_name = "HOST:PORT",
        env = "MILENA_BOOTSTRAP",
        default_value = "127.0.0.1:9092"
    )]
    bootstrap: String,
    /// Seconds to wait for each answer
    #[arg(long, value_name = "SECONDS", default_value_t = 10)]
    timeout: u64,
}

impl Target {
    async fn connect(&self) -> Result<Cluster, ClientError> {
        Cluster::connect(&self.bootstrap, Duration::from_secs(self.timeout)).await
    }
}

/// What a command ended with when nothing went wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Done,
    /// Files are not as they should be.
    Findings,
}

/// Runs the program on the process's own arguments.
#[must_use]
pub fn run() -> ExitCode {
    let command = Command::parse();
    match execute(command.verb) {
        Ok(Outcome::Done) => ExitCode::SUCCESS,
        Ok(Outcome::Findings) => ExitCode::from(EXIT_FINDINGS),
        Err(error) => {
            if !output::is_broken_pipe(&error) {
                output::error(&error);
            }
            exit_code_of(&error)
        }
    }
}

fn execute(verb: Verb) -> anyhow::Result<Outcome> {
    match verb {
        Verb::Serve(command) => command.run().map(|()| Outcome::Done),
        Verb::Topic(command) => block_on(command.run()),
        Verb::Produce(command) => block_on(command.run()),
        Verb::Consume(command) => block_on(command.run()),
        Verb::Config(command) => block_on(command.run()),
        Verb::Group(command) => block_on(command.run()),
        Verb::Txn(command) => block_on(command.run()),
        Verb::Log(command) => command.run(),
        Verb::Bench(command) => command.run(),
        Verb::Completion(command) => command.run(),
    }
}

/// One thread is enough for a command that waits for a broker.
fn block_on(command: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<Outcome> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(command)?;
    Ok(Outcome::Done)
}

/// Takes as many file descriptors as the system grants for the asking: the usual limit of 1024 is
/// for programs of another age, and each log and each connection has its own.
fn allow_many_files() {
    let limit = getrlimit(Resource::Nofile);
    let most = Rlimit { current: limit.maximum, ..limit };
    if limit != most
        && let Err(error) = setrlimit(Resource::Nofile, most)
    {
        warn!(%error, limit = limit.current, "the limit on open files stays low");
    }
}

fn exit_code_of(error: &anyhow::Error) -> ExitCode {
    if output::is_broken_pipe(error) {
        return ExitCode::SUCCESS;
    }
    match error.downcast_ref::<ClientError>() {
        Some(ClientError::Unreachable { .. } | ClientError::TimedOut { .. }) => {
            ExitCode::from(EXIT_UNREACHABLE)
        }
        _ => ExitCode::FAILURE,
    }
}

const EXIT_UNREACHABLE: u8 = 3;
const EXIT_FINDINGS: u8 = 4;

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Command::command().debug_assert();
    }
}
