//! The program: parses the arguments and runs one command.

use std::process::ExitCode;

use latentdb::cli;

/// Gives memory back to the system, and builds graphs of vectors in less time than the system's allocator
/// (issue 20).
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let cli = match cli::parse() {
        Ok(cli) => cli,
        Err(code) => return code,
    };
    match cli::run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => cli::report(&error),
    }
}
