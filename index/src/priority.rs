//! Threads that give way: what takes long (writes, analyses, graphs) leaves the processor to what people wait
//! for, whenever both want it. The system's scheduler weighs threads by their nice value; nothing here waits or is
//! counted.

use std::cell::Cell;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use rayon::{ThreadPool, ThreadPoolBuilder};

/// The nice value of threads that give way: a ninth of the processor time of one that does not, where both want all
/// of it; all of it where nobody else does.
const NICE: i32 = 10;
/// That of threads that build graphs: a third of what writes and analyses get.
const NICE_OF_GRAPHS: i32 = 15;

thread_local! {
    static GIVES_WAY: Cell<bool> = const { Cell::new(false) };
}

/// The threads of searches. What gives way uses the threads that all libraries share.
static POOL: LazyLock<Option<ThreadPool>> = LazyLock::new(|| {
    let pool = ThreadPoolBuilder::new().thread_name(|at| format!("latentdb-search-{at}"));
    // Without threads of their own searches use the shared ones.
    pool.build().ok()
});

/// The threads that build graphs, by all collections; 0: as many as there are cores.
static GRAPH_THREADS: AtomicUsize = AtomicUsize::new(0);
static GRAPH_POOL: LazyLock<Option<ThreadPool>> = LazyLock::new(|| {
    ThreadPoolBuilder::new()
        .num_threads(GRAPH_THREADS.load(Ordering::Relaxed))
        .thread_name(|at| format!("latentdb-graph-{at}"))
        .start_handler(|_| lower_to(NICE_OF_GRAPHS))
        .build()
        .ok()
});

/// Lowers the priority of the calling thread for good, and of the threads that it starts. Where the system knows
/// no priority of threads it is only noted.
///
/// ```
/// let long = std::thread::spawn(|| {
///     latentdb_index::give_way();
///     latentdb_index::gives_way()
/// });
/// assert!(long.join().unwrap());
/// assert!(!latentdb_index::gives_way());
/// ```
pub fn give_way() {
    lower_to(NICE);
}

/// Gives the calling thread a nice value, unless it has a higher one.
fn lower_to(nice: i32) {
    GIVES_WAY.set(true);
    #[cfg(target_os = "linux")]
    {
        let own = rustix::process::getpriority_process(None).unwrap_or_default();
        if let Err(error) = rustix::process::setpriority_process(None, nice.max(own)) {
            tracing::debug!(%error, "a thread keeps its priority");
        }
    }
}

/// Whether the calling thread gives way.
pub fn gives_way() -> bool {
    GIVES_WAY.get()
}

/// Lets graphs of vectors be built by so many threads, 1 and more; all cores unless it is called before the first one
/// is begun. They give way to everything else.
pub fn set_graph_threads(threads: usize) {
    GRAPH_THREADS.store(threads.max(1), Ordering::Relaxed);
}

/// Does work that rayon splits on the threads that build graphs.
pub(crate) fn in_graph_threads<R: Send>(work: impl FnOnce() -> R + Send) -> R {
    match GRAPH_POOL.as_ref() {
        Some(pool) => pool.install(work),
        None => work(),
    }
}

/// Starts the threads of searches: those that a thread starts have its priority.
pub(crate) fn start_pool() {
    LazyLock::force(&POOL);
}

/// Does work that rayon splits, at the priority of the calling thread.
pub(crate) fn spread<R: Send>(work: impl FnOnce() -> R + Send) -> R {
    match POOL.as_ref() {
        Some(pool) if !gives_way() => pool.install(work),
        _ => work(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_os = "linux")]
    fn a_thread_and_those_it_starts_give_way() {
        let nice = || rustix::process::getpriority_process(None).unwrap();
        let own = nice();
        let started = std::thread::spawn(move || {
            give_way();
            (nice(), std::thread::spawn(nice).join().unwrap())
        });
        assert_eq!(started.join().unwrap(), (NICE.max(own), NICE.max(own)));
        assert_eq!(nice(), own);
    }

    #[test]
    fn only_searches_have_threads_of_their_own() {
        let name = || std::thread::current().name().map(str::to_owned);
        assert!(spread(name).unwrap().starts_with("latentdb-search"));
        let given = std::thread::Builder::new()
            .name("own".into())
            .spawn(move || {
                give_way();
                spread(name)
            });
        assert_eq!(given.unwrap().join().unwrap().unwrap(), "own");
    }
}
