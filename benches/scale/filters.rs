//! Dense search under filters of every selectivity, without relation to the query, with it and against it.

use anyhow::Result;
use latentdb_index::filter::{AttributeTest, parse};
use latentdb_index::query::execute;
use latentdb_index::{Filter, Snapshot, Value};
use std::ops::Bound;

use crate::queries::{TOP, nearest, recall};
use crate::rows::Rows;
use crate::times;

/// Queries of each selectivity.
const QUERIES: usize = 100;
const SHARES: [f64; 12] = [
    0.0001, 0.001, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 0.9, 0.99,
];

pub fn measure(snapshot: &Snapshot, rows: &Rows) -> Result<()> {
    // Where the shares of all documents end along the direction, by a sample.
    let sample = rows.vectors(0..rows.count.min(100_000));
    let mut along: Vec<f64> = sample
        .chunks_exact(rows.dimension)
        .map(|row| rows.along(row))
        .collect();
    along.sort_by(f64::total_cmp);
    let top = |share: f64| along[((along.len() - 1) as f64 * (1.0 - share)) as usize];
    // The queries that lie furthest along it, and against it.
    let mut order: Vec<usize> = (0..QUERIES * 10).collect();
    order.sort_by(|a, b| {
        rows.along(&rows.query(*b))
            .total_cmp(&rows.along(&rows.query(*a)))
    });
    let against: Vec<usize> = order.iter().rev().take(QUERIES).copied().collect();
    for text in [
        "category = 'cs.LG'",
        "category in ('cs.CL', 'cs.CV')",
        "category like 'cs.%'",
        "day < 100",
    ] {
        let filter = parse(text)?.resolve(&crate::queries::shape(rows))?;
        let started = std::time::Instant::now();
        let count = snapshot.count(&filter)?;
        let first = started.elapsed();
        snapshot.count(&filter)?;
        let again = started.elapsed() - first;
        eprintln!("{text}: {count} documents, {first:.1?} the first time, {again:.1?} again");
    }
    eprintln!(
        "filter, share: p50, p99, largest in ms; recall; access; filter evaluated the first time"
    );
    for (name, queries, attribute) in [
        ("unrelated", &order, "random"),
        ("with", &order, "along"),
        ("against", &against, "along"),
    ] {
        for share in SHARES {
            let lower = if attribute == "random" {
                1.0 - share
            } else {
                top(share)
            };
            let filter = Filter::Attribute {
                name: attribute.to_owned(),
                test: AttributeTest::Range {
                    lower: Bound::Included(Value::Float(lower)),
                    upper: Bound::Unbounded,
                },
            };
            let of = |exact: bool| {
                let queries = queries.iter().take(QUERIES);
                let resolved =
                    queries.map(|&at| nearest(rows, rows.query(at), exact, Some(filter.clone())));
                resolved.collect::<Result<Vec<_>>>()
            };
            let (exact, walks) = (of(true)?, of(false)?);
            let mut best = Vec::new();
            let first = std::time::Instant::now();
            snapshot.count(&filter.clone().resolve(&crate::queries::shape(rows))?)?;
            let first = first.elapsed();
            for query in &exact {
                best.push(execute(query, snapshot, TOP)?);
            }
            let (mut total, mut access) = (0.0, "");
            let found = times(QUERIES, |at| {
                let ranking = execute(&walks[at], snapshot, TOP)?;
                access = ranking.plan.access;
                total += recall(&best[at], &ranking);
                Ok(())
            })?;
            eprintln!(
                "{name}, {:.2} %: {:.2}, {:.2}, {:.2}; {:.3}; {access}; {first:.1?}",
                share * 100.0,
                found.p50,
                found.p99,
                found.most,
                total / QUERIES as f64
            );
        }
    }
    Ok(())
}
