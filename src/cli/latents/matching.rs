//! `latentdb latents map`.

use std::fmt::Write as _;

use latentdb_proto::v1::{MatchLatentsRequest, MoveLatentsRequest, RecordOfLatents};

use crate::cli::client::ClientArgs;
use crate::cli::output::{self, FileArgs};
use crate::cli::{flags, progress};
use crate::client::Matches;
use crate::client::view::matching as view;

/// Latents, and of what did not move, that are shown.
const SHOWN: usize = 20;
const STAYED: usize = 8;

/// What is matched, and what moves.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The latents that get counterparts: NAME or NAME:SAE
    a: String,
    /// Their counterparts: another SAE of the collection, or another collection with the same ids
    b: String,
    /// Leave latents in fewer documents of both out
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = flags::count::<u64>)]
    min_support: u64,
    /// Correlation of two latents being active from which on they are the same to what moves
    #[arg(long, value_name = "PHI", default_value_t = 0.5)]
    min_phi: f64,
    /// Give B what has counterparts for all its latents; may be given several times
    #[arg(long = "move", value_enum, value_name = "WHAT")]
    moves: Vec<Moves>,
    /// Labels in place of those that B has
    #[arg(long, requires = "moves")]
    replace: bool,
    /// Latents to print, the least alike first
    #[arg(long, value_name = "N", default_value_t = SHOWN)]
    limit: usize,
    #[command(flatten)]
    files: FileArgs,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Moves {
    Labels,
    Presets,
    Sets,
}

pub(super) async fn run(args: Args, client: &ClientArgs) -> anyhow::Result<()> {
    let is_json = client.json;
    let matching = MatchLatentsRequest {
        collection: args.a.clone(),
        other: args.b.clone(),
        min_support: args.min_support,
        min_phi: Some(args.min_phi),
    };
    let client = client.connect().await?;
    let progress = progress::follow("matching", "units");
    let found = match args.moves.is_empty() {
        true => client.match_latents(matching, progress).await?,
        false => {
            let moves = |what| args.moves.contains(&what);
            let request = MoveLatentsRequest {
                matching: Some(matching),
                labels: moves(Moves::Labels),
                replace: args.replace && moves(Moves::Labels),
                presets: moves(Moves::Presets),
                sets: moves(Moves::Sets),
            };
            client.move_latents(request, progress).await?
        }
    };
    output::warn(&found.summary.warnings);
    args.files.write(&view::table(&found))?;
    output::respond(is_json, &found, || page(&found, args.limit))
}

fn page(found: &Matches, limit: usize) -> String {
    let mut least = found.clone();
    let phi =
        |row: &latentdb_proto::v1::MatchedLatent| row.other.as_ref().map_or(0.0, |own| own.phi);
    least
        .latents
        .sort_by(|a, b| phi(a).total_cmp(&phi(b)).then(a.latent.cmp(&b.latent)));
    least.latents.truncate(limit);
    let mut page = view::table(&least).page(output::table_columns());
    for line in view::about(found) {
        let _ = writeln!(page, "{line}");
    }
    for own in found.summary.stayed.iter().take(STAYED) {
        let what = match own.kind() {
            RecordOfLatents::Label => "label",
            RecordOfLatents::Preset => "preset",
            RecordOfLatents::Set => "set",
        };
        let _ = writeln!(page, "{what} {:?} stayed: {}", own.name, own.why);
    }
    if found.summary.stayed.len() > STAYED {
        let more = found.summary.stayed.len() - STAYED;
        let _ = writeln!(page, "and {more} more (--json lists them)");
    }
    page
}
