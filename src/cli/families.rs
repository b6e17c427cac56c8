//! `latentdb latents families`.

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
    #[arg(
        long,
        value_name = "N",
        default_value_t = 0,
        hide_default_value = true,
        requires = "find"
    )]
    min_members: u32,
    /// How often roots are taken out and the forest is built again; 3 when left out
    #[arg(
        long,
        value_name = "N",
        default_value_t = 0,
        hide_default_value = true,
        requires = "find"
    )]
    rounds: u32,
    /// Only latents whose label scores at least this take part
    #[arg(long, value_name = "SCORE", requires = "find")]
    min_label_score: Option<f32>,
    /// Families to print
    #[arg(long, value_name = "N", default_value_t = 20)]
    limit: usize,
}

pub(super) async fn run(args: Args, client: &Client, is_json: bool) -> anyhow::Result<()> {
    let response = if args.find {
        let request = FindFamiliesRequest {
            collection: args.name,
            max_density: args.max_density,
            min_similarity: args.min_similarity,
            min_members: args.min_members,
            rounds: args.rounds,
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
        "{} of {} families; filter by one with family(ROOT)",
        response.families.len().min(limit),
        response.families.len()
    );
    page
}

fn one(family: &Family, columns: usize) -> String {
    let score = family
        .score
        .map_or("-".to_owned(), |score| format!("{score:.1}"));
    let head = format!(
        "{}  {}  ({} latents, {} documents, score {score})",
        family.root,
        Some(family.label.as_str())
            .filter(|label| !label.is_empty())
            .unwrap_or("unlabelled"),
        family.members.len(),
        text::thousands(family.documents),
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
