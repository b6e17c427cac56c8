//! `latentdb latents families`.

use crate::cli::flags;
use std::fmt::Write as _;

use latentdb_proto::v1::{FamiliesResponse, Family, FindFamiliesRequest, ListFamiliesRequest};

use super::client::Client;
use super::{output, text};
use crate::report::format;

/// Which families are shown, and whether they are looked for first.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The collection
    name: String,
    /// Recompute them; they replace those of before
    #[arg(long)]
    find: bool,
    /// Leave out latents active in a larger share of the documents; .2 when left out
    #[arg(long, value_name = "SHARE", requires = "find")]
    max_density: Option<f64>,
    /// Count similarities below this as none; .1 when left out
    #[arg(long, value_name = "SHARE", requires = "find")]
    min_similarity: Option<f64>,
    /// Similarity is all that two latents share, as in O'Neill et al. 2024, not what they share above
    /// chance, and need not surely exceed that
    #[arg(long, requires = "find")]
    all_shared: bool,
    /// Members that a family has at least below its root; 4 when left out
    #[arg(long, value_name = "N", requires = "find", value_parser = flags::count::<u32>)]
    min_members: Option<u32>,
    /// How often roots are taken out and the forest is built again; 3 when left out
    #[arg(long, value_name = "N", requires = "find", value_parser = flags::count::<u32>)]
    rounds: Option<u32>,
    /// Only latents whose label scores at least this take part
    #[arg(long, value_name = "SCORE", requires = "find")]
    min_label_score: Option<f32>,
    /// Families to print
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = flags::count::<usize>)]
    limit: usize,
}

pub(super) async fn run(args: Args, client: &Client, is_json: bool) -> anyhow::Result<()> {
    let response = if args.find {
        let request = FindFamiliesRequest {
            collection: args.name,
            max_density: args.max_density,
            min_similarity: args.min_similarity,
            min_members: args.min_members.unwrap_or_default(),
            rounds: args.rounds.unwrap_or_default(),
            max_overlap: None,
            min_label_score: args.min_label_score,
            all_shared: args.all_shared,
        };
        client.latents().find_families(request).await?.into_inner()
    } else {
        let request = ListFamiliesRequest {
            collection: args.name,
        };
        client.latents().list_families(request).await?.into_inner()
    };
    output::respond(is_json, &response, || {
        listed(&response, args.limit, output::columns())
    })
}

fn listed(response: &FamiliesResponse, limit: usize, columns: usize) -> String {
    let mut page = String::new();
    for family in response.families.iter().take(limit) {
        // Writing to a String cannot fail.
        let _ = write!(page, "{}", one(family, columns));
    }
    let _ = writeln!(
        page,
        "{} of {}; filter by one with family(ROOT)",
        response.families.len().min(limit),
        text::counted(response.families.len() as u64, "family")
    );
    page
}

fn one(family: &Family, columns: usize) -> String {
    let score = family
        .score
        .map_or("-".to_owned(), |score| format!("{score:.1}"));
    let head = format!(
        "{}  {}  ({}, {}, score {score})",
        family.root,
        Some(family.label.as_str())
            .filter(|label| !label.is_empty())
            .unwrap_or("unlabelled"),
        text::counted(family.members.len() as u64, "latent"),
        text::counted(family.documents, "document"),
    );
    let members: Vec<String> = family
        .members
        .iter()
        .filter(|member| member.depth > 0)
        .map(|member| format::latent(member.latent, &member.label))
        .collect();
    let body = text::cut(&members.join("; "), columns.saturating_mul(3));
    format!("{}\n    {body}\n", text::cut(&head, columns))
}
