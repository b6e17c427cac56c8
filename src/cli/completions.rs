//! `latentdb completions`.

use clap::Command;
use clap_complete::Shell;

use super::output;

/// For which shell.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The shell
    shell: Shell,
}

/// Prints completions of the command line that `command` describes.
pub(super) fn run(args: &Args, command: &mut Command) -> anyhow::Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, command, "latentdb", &mut script);
    output::print(&String::from_utf8_lossy(&script))?;
    Ok(())
}
