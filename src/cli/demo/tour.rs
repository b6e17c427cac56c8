//! What a collection answers, as the commands that ask it: each is shown and run.

use anyhow::Context as _;
use futures::future::LocalBoxFuture;
use latentdb_proto::v1::SearchLabelsRequest;
use serde_json::json;

use super::setup::COLLECTION;
use crate::cli::client::Client;
use crate::cli::interrupt::Interrupt;
use crate::cli::output;

/// A command line, and why somebody would run it.
struct Step {
    kind: &'static str,
    why: &'static str,
    /// As a shell takes it. [`REPORT`] and [`COMEDY`] are put in.
    line: &'static str,
}

/// Where a report goes.
const REPORT: &str = "REPORT.html";
/// The number of the latent of comedy.
const COMEDY: &str = "COMEDY";

/// What the database is for.
const MISSION: &[Step] = &[
    Step {
        kind: "by meaning, with reasons",
        why: "The latents under the hit name the concepts that brought it here, each with its share of the score.",
        line: r#"search demo "a film to watch tonight" --filter 'source = "films"' --limit 1 --top-latents 3"#,
    },
    Step {
        kind: "boosted",
        why: "The same search with a concept turned up: still films for the evening, and comedies.",
        line: r#"search demo "a film to watch tonight" --filter 'source = "films"' --limit 1 --top-latents 3 --boost comedy=0.4"#,
    },
    Step {
        kind: "steered",
        why: "Steering moves the query's vector itself, here towards horror; a minus moves it away.",
        line: r#"search demo "a film to watch tonight" --filter 'source = "films"' --limit 1 --top-latents 3 --steer horror=+0.8"#,
    },
    Step {
        kind: "by property",
        why: "Not texts like these words, but texts of which this is true: through latents chosen for it.",
        line: r#"search demo --property "complaint about a broken product" --limit 1 --top-latents 3"#,
    },
    Step {
        kind: "what sets two sets apart",
        why: "What unhappy reviews of products speak of and happy ones do not: concepts, tested, over all documents.",
        line: r#"diff demo --a 'source = "products" and sentiment < -1' --b 'source = "products" and sentiment > 1' --limit 3"#,
    },
    Step {
        kind: "what goes together",
        why: "Concepts that share more documents than chance would give them: themes, and quirks of a corpus.",
        line: "correlate demo --min-support 60 --limit 3",
    },
    Step {
        kind: "groups along an axis",
        why: "Clusters by what you ask about, not by whatever differs most.",
        line: r#"cluster demo --axis "what is wrong with the product" --k 2 --documents 1 --filter 'source = "products" and sentiment < -1'"#,
    },
    Step {
        kind: "a report to hand on",
        why: "Any analysis as one HTML file, with its method, its settings and its documents.",
        line: r#"report diff demo --a 'source = "products" and sentiment < -1' --b 'source = "products" and sentiment > 1' --out REPORT.html"#,
    },
];

/// One of every other kind.
const OTHERS: &[Step] = &[
    Step {
        kind: "nearest, to a stored document",
        why: "More like this one.",
        line: "search demo --like films/4409 --limit 2",
    },
    Step {
        kind: "latents",
        why: "A weighted sum of activations, here of one; a latent of negative weight is not wanted.",
        line: "search demo --latent COMEDY=1 --limit 2",
    },
    Step {
        kind: "text",
        why: "BM25 over the words of the documents.",
        line: r#"search demo --text-query "zoom lens" --limit 2"#,
    },
    Step {
        kind: "fusion",
        why: "Several rankings made one, here by reciprocal rank.",
        line: r#"search demo "a film that made me cry" --text-query "tears cry" --limit 2"#,
    },
    Step {
        kind: "except",
        why: "The hits of one query that are not among the best 500 of another.",
        line: r#"search demo "a wonderful film" --except "brilliant acting" --except-top 500 --limit 2"#,
    },
    Step {
        kind: "count",
        why: "Exactly, under any filter: latents, attributes, words, sets; and, or, not.",
        line: "count demo --filter 'latent(COMEDY) and words < 12 and sentiment > 1'",
    },
    Step {
        kind: "saved set",
        why: "A filter under a name.",
        line: "collection save-set demo unhappy --filter 'sentiment < -1.5'",
    },
    Step {
        kind: "set difference",
        why: "What is in one set and not in another.",
        line: r#"search demo "waste of money" --filter 'set("unhappy") and not source = "films"' --limit 2"#,
    },
    Step {
        kind: "facet by attribute",
        why: "Where a concept occurs, and how it is rated there.",
        line: "facet demo --by source --then sentiment:stats --filter 'latent(COMEDY)'",
    },
    Step {
        kind: "facet by latents",
        why: "What the documents of a set are about.",
        line: r#"facet demo --by latents --filter 'set("unhappy")' --limit 5"#,
    },
    Step {
        kind: "what tells a number",
        why: "A few concepts that predict the sentiment, and how well on documents held out.",
        line: "explain demo --target sentiment --latents 6",
    },
    Step {
        kind: "one latent",
        why: "Its label, its activations, its documents, and what it goes with.",
        line: "latents show demo COMEDY",
    },
    Step {
        kind: "how a query was run",
        why: "The access path of each node, its candidates and its time.",
        line: r#"search demo "it broke after a week" --text-query broke --filter 'sentiment < 0' --explain --limit 2"#,
    },
];

/// How much is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Extent {
    /// What the database is for
    #[default]
    Short,
    /// One example of every other kind of query too
    All,
}

/// Runs a command line against the server at an address, printing JSON or not.
pub(in crate::cli) type RunLine =
    for<'a> fn(&'a str, &'a str, bool, &'a Interrupt) -> LocalBoxFuture<'a, anyhow::Result<()>>;

/// Shows and runs the commands against the server at `address`; a report is written to `report`. As JSON, each is a line
/// with the command, and one with its answer.
pub(super) async fn run(
    client: &Client,
    address: &str,
    report: &str,
    extent: Extent,
    is_json: bool,
    interrupt: &Interrupt,
    run_line: RunLine,
) -> anyhow::Result<()> {
    if !is_json {
        output::print(
            "\nTweets, film reviews, product reviews and newspaper opinion. Each text has latents: topics that a sparse\n\
             autoencoder learned by itself, labelled by words of their documents (some labels are poor or missing).\n\
             Under a hit stand its strongest: 312 \"night\" 0.20 (+0.071) is latent 312, active at 0.20, which adds .071\n\
             to the score.\n",
        )?;
    }
    let comedy = labelled(client, "comedy").await?.to_string();
    let report = shlex::try_quote(report)
        .context("the folder of the demo has a name that no shell takes")?;
    let others = match extent {
        Extent::Short => &[],
        Extent::All => OTHERS,
    };
    for step in MISSION.iter().chain(others) {
        let line = step.line.replace(COMEDY, &comedy).replace(REPORT, &report);
        let command = format!("latentdb {line}");
        if is_json {
            output::print_json(&json!({"kind": step.kind, "why": step.why, "command": command}))?;
        } else {
            let rule = "─".repeat(60_usize.saturating_sub(step.kind.chars().count()));
            output::print(&format!(
                "\n── {} {rule}\n{}\n$ {command}",
                step.kind, step.why
            ))?;
        }
        run_line(&command, address, is_json, interrupt).await?;
    }
    Ok(())
}

/// The latent whose label is nearest to a text.
async fn labelled(client: &Client, text: &str) -> anyhow::Result<u32> {
    let request = SearchLabelsRequest {
        collection: COLLECTION.to_owned(),
        text: text.to_owned(),
        limit: 1,
        ..SearchLabelsRequest::default()
    };
    let found = client.latents().search_labels(request).await?.into_inner();
    let first = found.labels.first().context("no latent has a label")?;
    Ok(first.latent)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_of_the_tour_parses() {
        for step in MISSION.iter().chain(OTHERS) {
            let line = format!("latentdb {}", step.line.replace(COMEDY, "3"));
            let parsed = crate::cli::parsed(&line, "127.0.0.1:1", true);
            assert!(parsed.is_ok(), "{}: {:?}", step.kind, parsed.err());
        }
    }
}
