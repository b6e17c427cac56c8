//! A graph while writes go on.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::Result;
use latentdb_index::{Collection, Document, Operation};

use crate::corpus::Corpus;
use crate::rows::Rows;
use crate::{await_graph, ingest, queries};

/// Between two writes.
const PAUSE: Duration = Duration::from_millis(200);

pub fn measure(folder: &Path, rows: &Rows, corpus: &Corpus) -> Result<()> {
    for writes in [false, true] {
        let directory = tempfile::tempdir_in(folder)?;
        let collection = Collection::open(directory.path())?;
        eprintln!(
            "{}:",
            if writes {
                "with five writes a second"
            } else {
                "alone"
            }
        );
        let done = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let trickle = scope.spawn(|| -> Result<usize> {
                let mut written = 0;
                while writes && !done.load(Ordering::Relaxed) {
                    let mut document = Document::new(format!("late-{written}"));
                    document.vector = Some(rows.query(1_000_000 + written));
                    collection.write(vec![Operation::Upsert(Box::new(document))], None)?;
                    written += 1;
                    std::thread::sleep(PAUSE);
                }
                Ok(written)
            });
            ingest(&collection, rows, corpus)?;
            await_graph(&collection);
            let measured = queries::measure(&collection.snapshot(), rows);
            done.store(true, Ordering::Relaxed);
            let written = trickle
                .join()
                .map_err(|_| anyhow::anyhow!("a write failed"))??;
            eprintln!("{written} writes beside it");
            measured
        })?;
    }
    Ok(())
}
