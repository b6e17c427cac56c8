//! Decoders and the request path on inputs that were damaged at random: an answer or an error, never a panic.
//!
//! Each test makes 300 inputs out of valid ones, the same in each run. `LATENTDB_FUZZ_SECONDS=600 cargo test
//! --release --test fuzz` goes on for ten minutes each, `LATENTDB_SEED` begins elsewhere.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test fails by panicking, and says how far it came"
)]

#[path = "fuzz/damage.rs"]
mod damage;
#[path = "fuzz/requests.rs"]
mod requests;
#[path = "grpc/running.rs"]
#[allow(dead_code, reason = "the tests of the wire use all of it")]
mod running;

use std::fs;
use std::path::Path;

use damage::fuzz;
use latentdb::eval::trec::{parse_qrels, parse_run};
use latentdb::records::{self, Format, Source};
use latentdb::sae::format;
use latentdb_index::filter::parse;

#[test]
fn filters() {
    let seeds: &[&str] = &[
        r#"stars <= 2 and (day >= timestamp("2026-01-01") or not text("late 👍"))"#,
        r#"path like "src/%.rs" and id like "mail-%" and text_prefix("deliv")"#,
        "latent(12) > 0.5 and set(late) and sae(wide, latent(3) >= .2)",
        r#"tags in ["a", 'b', "c\n"] and a exists or true"#,
    ];
    let seeds: Vec<Vec<u8>> = seeds.iter().map(|text| text.as_bytes().to_vec()).collect();
    fuzz("filters", &seeds, |bytes| {
        if let Ok(filter) = parse(&String::from_utf8_lossy(bytes)) {
            // What is understood is written so that it is understood again.
            let written = filter.to_string();
            assert_eq!(parse(&written).unwrap(), filter, "{written}");
        }
    });
}

#[test]
fn judgements_and_runs() {
    let seeds = [
        b"q1 0 d1 1\nq1 0 d2 0\n".to_vec(),
        b"q1 Q0 d1 1 0.5 tag\nq2 Q0 d2 2 -1e3 tag\n".to_vec(),
    ];
    fuzz("judgements and runs", &seeds, |bytes| {
        let text = String::from_utf8_lossy(bytes);
        let _ = (parse_qrels(&text), parse_run(&text));
    });
}

#[test]
fn records_of_files() {
    let folder = tempfile::tempdir().unwrap();
    let kinds = [
        (
            Format::JsonLines,
            "jsonl",
            &b"{\"id\": \"a\", \"text\": \"one\", \"n\": [1, 2.5e3, null]}\n{\"id\": \"b\"}\n"[..],
        ),
        (
            Format::Csv,
            "csv",
            &b"id,text,n\na,\"one, \"\"two\"\"\",1\nb,,\n"[..],
        ),
        (Format::Tsv, "tsv", &b"id\ttext\na\tone\n"[..]),
    ];
    for (kind, ending, seed) in kinds {
        let path = folder.path().join(format!("records.{ending}"));
        fuzz(ending, &[seed.to_vec()], |bytes| {
            fs::write(&path, bytes).unwrap();
            if let Ok(records) = records::open(&Source::Path(path.clone()), Some(kind)) {
                // A file may be refused at any record.
                let _ = records.take(1000).count();
            }
        });
    }
}

/// A folder with a small SAE in SAELens' layout.
fn sae(folder: &Path) {
    let random = |count: usize| -> Vec<f32> { (0..count).map(|n| (n % 7) as f32 - 3.0).collect() };
    let (d_in, n_latents) = (8, 12);
    let vectors = random(d_in * 200);
    let config = latentdb::sae::TrainConfig {
        n_latents,
        k: 2,
        epochs: 1,
        ..latentdb::sae::TrainConfig::for_rows(200)
    };
    let progress = latentdb::progress::Progress::default();
    let trained =
        latentdb::sae::train(&vectors, d_in, &config, None, &progress, &mut |_| ()).unwrap();
    format::save(&trained.sae, folder).unwrap();
}

#[test]
fn folders_of_saes() {
    let folder = tempfile::tempdir().unwrap();
    let whole = folder.path().join("whole");
    sae(&whole);
    for file in ["cfg.json", "sae_weights.safetensors"] {
        let seed = fs::read(whole.join(file)).unwrap();
        let damaged = folder.path().join("damaged");
        fs::create_dir_all(&damaged).unwrap();
        for other in ["cfg.json", "sae_weights.safetensors"] {
            fs::copy(whole.join(other), damaged.join(other)).unwrap();
        }
        fuzz(file, &[seed], |bytes| {
            fs::write(damaged.join(file), bytes).unwrap();
            let _ = format::open(&damaged);
            let _ = format::import(&damaged, None);
        });
    }
}
