//! A disk whose steps fail where a plan says.

use std::io;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use latentdb_index::{Faults, Step};
use parking_lot::Mutex;
use rand::rngs::StdRng;

use crate::power::Power;

/// How a step ends.
#[derive(Clone, Copy, Debug)]
pub enum Failure {
    /// A full disk.
    Full,
    /// A medium that does not answer.
    Medium,
    /// A write of which half goes through, and no more.
    Short,
    /// Too many open files.
    Files,
    /// A panic in the thread that takes the step.
    Panic,
}

/// Steps that fail, of all kinds or of one.
#[derive(Clone, Debug)]
pub struct Plan {
    pub steps: Range<u64>,
    pub only: Option<Step>,
    pub failure: Failure,
}

#[derive(Default)]
struct State {
    /// Steps taken, of the planned kind.
    taken: u64,
    plan: Option<Plan>,
    /// What is durable, where the power is to be cut, and the steps until then.
    power: Option<(Power, u64)>,
}

/// The disk.
#[derive(Default)]
pub struct Disk(Mutex<State>);

impl Disk {
    pub fn new() -> Arc<Self> {
        Arc::default()
    }

    /// Steps from now on fail as planned.
    pub fn plan(&self, plan: Plan) {
        let mut state = self.0.lock();
        state.taken = 0;
        state.plan = Some(plan);
    }

    /// All steps of a kind fail from now on.
    pub fn fail(&self, only: Step, failure: Failure) {
        self.plan(Plan {
            steps: 0..u64::MAX,
            only: Some(only),
            failure,
        });
    }

    /// Nothing goes through any more: what reached the disk until now is what a crash leaves.
    pub fn die(&self) {
        self.plan(Plan {
            steps: 0..u64::MAX,
            only: None,
            failure: Failure::Medium,
        });
    }

    /// The power goes before a step, after which nothing goes through. What is in the directory now is
    /// durable.
    pub fn cut_power_before(&self, step: u64, directory: &Path) {
        self.0.lock().power = Some((Power::of(directory), step));
    }

    /// Whether the power is gone.
    pub fn is_dead(&self) -> bool {
        self.0
            .lock()
            .power
            .as_ref()
            .is_some_and(|(_, rest)| *rest == 0)
    }

    /// Cuts the power, unless it is gone, and writes to `target` what that leaves of `directory`.
    pub fn cut_power(&self, directory: &Path, target: &Path, random: &mut StdRng) {
        self.die();
        let power = self.0.lock().power.take();
        power.unwrap().0.cut(directory, target, random);
    }

    /// No more failures.
    pub fn heal(&self) {
        self.0.lock().plan = None;
    }
}

/// Whether a panic in this thread is caught.
fn is_ours() -> bool {
    let thread = std::thread::current();
    let name = thread.name().unwrap_or_default();
    name == "latentdb-writer" || name.starts_with("thrd-tantivy-index")
}

impl Faults for Disk {
    fn before(&self, step: Step, path: &Path, bytes: usize) -> io::Result<usize> {
        let mut state = self.0.lock();
        if let Some((power, rest)) = &mut state.power {
            if *rest == 0 {
                return Err(io::Error::from_raw_os_error(5));
            }
            *rest -= 1;
            if *rest == 0 {
                return Err(io::Error::from_raw_os_error(5));
            }
            power.note(step, path);
        }
        let Some(plan) = state.plan.clone() else {
            return Ok(bytes);
        };
        if plan.only.is_some_and(|only| only != step) {
            return Ok(bytes);
        }
        let at = state.taken;
        state.taken += 1;
        if !plan.steps.contains(&at) {
            return Ok(bytes);
        }
        drop(state);
        match plan.failure {
            Failure::Full => Err(io::ErrorKind::StorageFull.into()),
            Failure::Medium => Err(io::Error::from_raw_os_error(5)),
            Failure::Files => Err(io::Error::from_raw_os_error(24)),
            // The rest of the write, if any, is the next step.
            Failure::Short if step == Step::Write => Ok(bytes / 2),
            Failure::Short => Err(io::Error::from_raw_os_error(5)),
            // Elsewhere it would end the process, or poison a lock of tantivy's.
            Failure::Panic if is_ours() && !path.ends_with(".managed.json") => {
                panic!("a planned panic")
            }
            Failure::Panic => Err(io::Error::from_raw_os_error(5)),
        }
    }
}
