//! Which latents does one set of documents have that another has not?
//!
//! `cargo run -p latentdb-index --example diff`

use latentdb_index::analysis::{
    DiffOptions, Members, Selection, Side, Units, compare, measure, select,
};
use latentdb_index::filter::parse;
use latentdb_index::{
    Activation, AttachedSae, Database, Document, NewCollection, Operation, Progress, Result, Value,
};

/// Latents of this example's SAE.
const N_LATENTS: u32 = 50;

#[expect(clippy::print_stdout, reason = "what the example shows")]
fn main() -> Result<()> {
    let directory = tempfile::tempdir()?;
    let database = Database::open(directory.path())?;
    let answers = database.create(NewCollection {
        name: "answers".into(),
        saes: vec![AttachedSae::of_clients(N_LATENTS as usize)],
        ..NewCollection::default()
    })?;
    answers.apply((0..2000).map(answer).collect())?;

    let view = answers.view()?;
    let new = view.resolve(&parse("model = 'new'")?)?;
    let old = view.resolve(&parse("model = 'old'")?)?;
    let (options, progress) = (DiffOptions::default(), Progress::default());
    let measured = |filter| {
        let members = Members::of(Side {
            snapshot: &view.snapshot,
            filter,
        })?;
        let units = Units::Latents(N_LATENTS as usize);
        measure(&members, units, &options, &progress)
    };
    let diff = compare(&measured(&new)?, &measured(&old)?, &options)?;
    println!("latent     new     old    delta  95% interval      adjusted p");
    for row in select(&diff, &Selection::default()).iter().take(5) {
        println!(
            "{:>6}  {:>6.3}  {:>6.3}  {:>+7.3}  {:+.3} to {:+.3}  {:.1e}",
            row.unit, row.a, row.b, row.delta, row.interval.0, row.interval.1, row.p_adjusted
        );
    }
    Ok(())
}

/// Answers of the new model have latent 7 more often and latent 20 less.
fn answer(number: u32) -> Operation {
    let is_new = number.is_multiple_of(2);
    let turn = number / 2;
    let mut document = Document::new(format!("answer-{number}"));
    let model = if is_new { "new" } else { "old" };
    document
        .attributes
        .insert("model".into(), Value::String(model.into()));
    let mut latents = vec![turn % 5, 30 + turn % 19];
    if turn % 10 < if is_new { 6 } else { 3 } {
        latents.push(7);
    }
    if turn % 10 < if is_new { 1 } else { 4 } {
        latents.push(20);
    }
    latents.sort_unstable();
    document.codes_mut(0).latents = latents
        .into_iter()
        .map(|latent| Activation {
            latent,
            activation: 1.0,
        })
        .collect();
    Operation::Upsert(Box::new(document))
}
