//! Three ways to rank the same documents, and all of them in one query.
//!
//! `cargo run -p latentdb-index --example search`

use latentdb_index::filter::{TextMode, parse};
use latentdb_index::query::{
    ActivationScale, DEFAULT_EF, DEFAULT_FUSION_DEPTH, Fusion, Kind, LatentWeight, Latents, Nearest,
};
use latentdb_index::{
    Activation, AttachedSae, Database, Document, NewCollection, Operation, Query, Result, Value,
    View,
};

/// Latents of this example's SAE.
const BATTERY: u32 = 0;
const COMPLAINT: u32 = 1;
const PRAISE: u32 = 2;

fn main() -> Result<()> {
    let directory = tempfile::tempdir()?;
    let database = Database::open(directory.path())?;
    let reviews = database.create(NewCollection {
        name: "reviews".into(),
        dimension: Some(3),
        saes: vec![AttachedSae::of_clients(3)],
        ..NewCollection::default()
    })?;
    reviews.apply(vec![
        review(
            "a",
            "The battery died within a week",
            1,
            [0.9, 0.1, 0.0],
            &[(BATTERY, 2.1), (COMPLAINT, 1.8)],
        ),
        review(
            "b",
            "Battery life is wonderful",
            5,
            [0.8, 0.0, 0.3],
            &[(BATTERY, 1.9), (PRAISE, 2.2)],
        ),
        review(
            "c",
            "Arrived late, and the box was torn",
            2,
            [0.1, 0.9, 0.0],
            &[(COMPLAINT, 2.4)],
        ),
        review("d", "A lovely screen", 4, [0.1, 0.1, 0.9], &[(PRAISE, 1.7)]),
    ])?;
    let view = reviews.view()?;

    let nearest = Query::new(Kind::Nearest(Nearest {
        vector: vec![1.0, 0.0, 0.0],
        exact: false,
        ef: DEFAULT_EF,
    }));
    show(&view, "near a vector", &nearest)?;

    // Weights of either sign: battery, and no praise.
    let weight = |latent, weight| LatentWeight { latent, weight };
    let latents = Query::new(Kind::Latents(Latents {
        weights: vec![weight(BATTERY, 1.0), weight(PRAISE, -0.5)],
        scale: ActivationScale::Raw,
        idf: false,
    }));
    show(&view, "by latents", &latents)?;

    let text = Query::new(Kind::Text {
        text: "battery life".into(),
        mode: TextMode::Any,
    });
    show(&view, "by words", &text)?;

    let fused = Query::new(Kind::Fusion {
        children: vec![(nearest, 1.0), (latents, 1.0), (text, 1.0)],
        method: Fusion::ReciprocalRank { k: 60.0 },
        depth: DEFAULT_FUSION_DEPTH,
    });
    show(
        &view,
        "all three, of at most two stars",
        &fused.filtered(parse("stars <= 2")?),
    )
}

fn review(id: &str, text: &str, stars: i64, vector: [f32; 3], latents: &[(u32, f32)]) -> Operation {
    let mut document = Document::new(id);
    document.text = Some(text.into());
    document
        .attributes
        .insert("stars".into(), Value::Integer(stars));
    document.vector = Some(vector.to_vec());
    let latents = latents.iter();
    document.codes_mut(0).latents = latents
        .map(|&(latent, activation)| Activation { latent, activation })
        .collect();
    Operation::Upsert(Box::new(document))
}

#[expect(clippy::print_stdout, reason = "what the example shows")]
fn show(view: &View, title: &str, query: &Query) -> Result<()> {
    println!("{title}");
    for hit in view.search(query, 3)?.hits {
        let document = view.snapshot.document(hit.doc)?;
        let text = document.text.unwrap_or_default();
        println!("  {:>7.3}  {}  {text}", hit.score, document.id);
        for part in &hit.components {
            println!(
                "           {} gives {:.3}, at rank {}",
                part.name, part.contribution, part.rank
            );
        }
    }
    Ok(())
}
