//! What takes longer than a query.

use std::time::Instant;

use anyhow::Result;
use latentdb_index::analysis::explain::{ExplainOptions, TargetOf, explain};
use latentdb_index::analysis::families::{FamilyOptions, families};
use latentdb_index::analysis::{
    Buckets, CorrelateOptions, DiffOptions, DuplicateOptions, Members, Scope, Selection, Side,
    TrendOptions, Units, compare, correlate, latent_counts, measure, near_duplicates, select,
    trends,
};
use latentdb_index::filter::{Shape, parse};
use latentdb_index::{Filter, Progress, Snapshot};

use crate::arxiv::N_LATENTS;
use crate::memory;

fn timed<T>(name: &str, run: impl FnOnce(&Progress) -> Result<T>) -> Result<T> {
    let started = Instant::now();
    let found = run(&Progress::default())?;
    eprintln!(
        "{name}: {:.2} s; {}",
        started.elapsed().as_secs_f64(),
        memory()
    );
    Ok(found)
}

pub fn duplicates(snapshot: &Snapshot) -> Result<()> {
    let all = Filter::All;
    for threshold in [0.9, 0.8, 0.7, 0.6] {
        let options = DuplicateOptions {
            threshold,
            ..DuplicateOptions::default()
        };
        let found = timed(&format!("near-duplicates at {threshold}"), |progress| {
            let side = Side {
                snapshot,
                filter: &all,
            };
            Ok(near_duplicates(side, N_LATENTS, &options, progress)?)
        })?;
        eprintln!("  {} pairs, {} groups", found.pairs, found.groups.len());
    }
    Ok(())
}

pub fn analyses(snapshot: &Snapshot) -> Result<()> {
    let shape = Shape {
        n_latents: Some(N_LATENTS),
        ..Shape::default()
    };
    let of = |text: &str| anyhow::Ok(parse(text)?.resolve(&shape)?);
    let (all, early, late) = (Filter::All, of("day < 365")?, of("day >= 365")?);
    let units = Units::Latents(N_LATENTS);
    let side = |filter| Side { snapshot, filter };
    timed("diff of two halves", |progress| {
        let options = DiffOptions::default();
        let measured = |filter| measure(&Members::of(side(filter))?, units, &options, progress);
        let diff = compare(&measured(&early)?, &measured(&late)?, &options)?;
        Ok(select(&diff, &Selection::default()))
    })?;
    timed("correlations", |progress| {
        let options = CorrelateOptions::default();
        let keep = |_, _| true;
        Ok(correlate(
            side(&all),
            N_LATENTS,
            &Scope::All,
            &options,
            &keep,
            progress,
        )?)
    })?;
    timed("latents of all documents counted", |_| {
        Ok(latent_counts(snapshot, &all)?)
    })?;
    timed("trends over 730 days", |progress| {
        let options = TrendOptions::default();
        Ok(trends(
            side(&all),
            "day",
            Buckets::Values,
            units,
            &options,
            progress,
        )?)
    })?;
    timed("families", |progress| {
        Ok(families(
            snapshot,
            &|_| true,
            &FamilyOptions::default(),
            progress,
        )?)
    })?;
    timed("explain a number by 16 latents", |progress| {
        let options = ExplainOptions {
            target: TargetOf::Attribute("along".into()),
            ..ExplainOptions::default()
        };
        Ok(explain(side(&all), N_LATENTS, &options, progress)?)
    })?;
    timed("centroids of all latents", |_| Ok(snapshot.centroids()))?;
    Ok(())
}
