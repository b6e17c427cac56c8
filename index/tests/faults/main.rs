//! Disks that fail and files that are damaged: nothing acknowledged is lost, nothing wrong is
//! answered, every start is clean.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test fails by panicking, and says what it tried"
)]

mod disk;
mod flips;
mod golden;
mod power;
mod recovery;
mod schedules;
mod small;
