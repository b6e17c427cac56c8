//! `latentdb completions`.

use clap::CommandFactory as _;
use clap_complete::Shell;

use super::{Cli, output};

/// For which shell.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The shell
    shell: Shell,
}

pub(super) fn run(args: &Args) -> anyhow::Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "latentdb", &mut script);
    output::print(&String::from_utf8_lossy(&script))?;
    Ok(())
}
