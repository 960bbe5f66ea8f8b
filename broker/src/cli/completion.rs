//! `milena completion`.

use std::io;

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use super::{Command, Outcome};

/// Print the completion script of a shell
#[derive(Args, Debug)]
#[command(
    after_help = "Example:\n  milena completion bash > ~/.local/share/bash-completion/completions/milena"
)]
pub(super) struct Completion {
    shell: Shell,
}

impl Completion {
    pub(super) fn run(self) -> anyhow::Result<Outcome> {
        clap_complete::generate(self.shell, &mut Command::command(), "milena", &mut io::stdout());
        Ok(Outcome::Done)
    }
}
