//! `latentdb eval`: measures through a running server, and of run files.
//!
//! | question | file |
//! |---|---|
//! | How well are documents with a property found? | `property.rs` |
//! | How well do a few latents tell a value? | `probe.rs` |
//! | How do figures depend on the SAE and the encoder? | `sensitivity.rs` |
//! | What does steering keep and what does it bring? | `steering.rs`, `steered_searches.rs`; by whose word, `scored_by.rs` |
//! | Does a judge see what was steered? | `judging.rs` |
//! | What do they cost, beside a model that reads? | `costs.rs` |
//! | How good are searches for judged queries? | `queries.rs` |
//! | How good are run files, how much do they agree? | `runs.rs` |
//! | Which ways of searching are there to compare? | `method.rs` |
//! | How are thousands of hits fetched? | `ranking.rs` |
//! | How do measures read? | `measured.rs` |

mod costs;
mod judging;
mod measured;
mod method;
mod probe;
mod property;
mod queries;
mod ranking;
mod runs;
mod scored_by;
mod sensitivity;
mod steered_searches;
mod steering;

use super::interrupt::Interrupt;

pub(super) use ranking::ids;

/// What is measured.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// Property retrieval, against dense, BM25, random and hybrids
    Property(property::Args),
    /// Values of attributes told by a few latents, beside a probe on vectors
    Probe(probe::Args),
    /// Tokens and seconds of hypotheses and of a property query, beside a model that reads the documents
    Costs(costs::Args),
    /// Steering: target share against relevance kept, for every method
    Steering(steering::Args),
    /// Property retrieval, labels and FVU over sizes of the SAE, training sizes and encoders
    Sensitivity(sensitivity::Args),
    /// Searches for queries with judgements: a BEIR folder, or queries with TREC qrels
    Queries(queries::Args),
    /// Run files against TREC qrels, and against each other
    Runs(runs::Args),
}

pub(super) async fn run(args: Args, interrupt: Interrupt) -> anyhow::Result<()> {
    match args.action {
        Action::Property(args) => property::run(args).await,
        Action::Probe(args) => probe::run(args).await,
        Action::Costs(args) => costs::run(args).await,
        Action::Steering(args) => steering::run(args).await,
        Action::Sensitivity(args) => sensitivity::run(args, interrupt).await,
        Action::Queries(args) => queries::run(args).await,
        Action::Runs(args) => runs::run(&args),
    }
}
