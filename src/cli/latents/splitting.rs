//! `latentdb latents split`: where latents of one SAE come back in another of the collection.

use crate::cli::flags;
use std::fmt::Write as _;

use latentdb_proto::v1::{SplitLatentsRequest, SplitLatentsResponse};

use crate::cli::client::Client;
use crate::cli::{output, text};
use crate::report::format;

/// Which latents, and where they are looked for.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The collection through the SAE whose latents are looked for: NAME or NAME:SAE
    name: String,
    /// The SAE they are looked for in; the default one when left out
    #[arg(
        long,
        value_name = "SAE",
        default_value = "",
        hide_default_value = true
    )]
    to: String,
    /// These latents; those of most documents when left out
    #[arg(long, value_name = "N,..", value_delimiter = ',')]
    latents: Vec<u32>,
    /// How many, where none are named
    #[arg(long, default_value_t = 20, value_parser = flags::count::<u32>)]
    limit: u32,
    /// Counterparts of a latent at most
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = flags::count::<u32>)]
    counterparts: u32,
    /// Least cosine of two decoder directions; .3 when left out
    #[arg(long, value_name = "COSINE", allow_negative_numbers = true)]
    min_cosine: Option<f32>,
}

pub(super) async fn run(args: Args, client: &Client, is_json: bool) -> anyhow::Result<()> {
    let request = SplitLatentsRequest {
        collection: args.name,
        to: args.to,
        latents: args.latents,
        limit: args.limit,
        counterparts: args.counterparts,
        min_cosine: args.min_cosine,
    };
    let response = client.latents().split_latents(request).await?.into_inner();
    output::respond(is_json, &response, || splits_text(&response))
}

fn splits_text(response: &SplitLatentsResponse) -> String {
    let mut out = String::new();
    for split in &response.latents {
        let _ = writeln!(
            out,
            "{} {}  {}",
            split.latent,
            format::label(&split.label, split.low_confidence),
            text::counted(split.documents, "document")
        );
        for found in &split.counterparts {
            let mutual = if found.mutual { "=" } else { " " };
            let _ = writeln!(
                out,
                "  {:.3} {mutual} {:>6} {}  {}, {} shared",
                found.cosine,
                found.latent,
                format::label(&found.label, found.low_confidence),
                text::counted(found.documents, "document"),
                text::thousands(found.shared)
            );
        }
        if split.counterparts.is_empty() {
            out.push_str("  nothing near it\n");
        }
    }
    out
}
