//! `latentdb hypothesise`.

use std::fmt::Write as _;

use latentdb_proto::v1::hypothesise_request::Compared;
use latentdb_proto::v1::{
    ComparedClusters, ComparedPairs, ComparedSets, DiffOverlap, HypothesiseRequest, JudgeKind,
    LabellerKind, NamedSet, Projection,
};

use super::annotators::{Judge, Labeller, LimitArgs};
use super::client::ClientArgs;
use super::cluster::AxisArgs;
use super::output::FileArgs;
use super::{diff, flags, output, progress, search, text};
use crate::client::Hypotheses;
use crate::client::view::hypotheses as view;
use crate::report::format;

/// Characters of an example that are shown.
const EXAMPLE: usize = 100;
/// Latents left out that are shown.
const LEFT_OUT: usize = 5;

/// What is compared, and what comes of it.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    request: Request,
    #[command(flatten)]
    files: FileArgs,
    #[command(flatten)]
    client: ClientArgs,
}

/// What is compared, and who names and judges.
#[derive(Clone, Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("what"))]
#[command(group = clap::ArgGroup::new("by").multiple(true).conflicts_with("what"))]
struct Request {
    /// The collection
    name: String,
    /// The first set, for example: source = "tweets"
    #[arg(
        long,
        value_name = "EXPR",
        group = "what",
        required_unless_present_any = ["pairs", "axis", "latent", "family"]
    )]
    a: Option<String>,
    /// The set it is compared with; everything that is not in A where absent
    #[arg(long, value_name = "EXPR", requires = "a")]
    b: Option<String>,
    /// What the sets are called in sentences
    #[arg(long, value_name = "NAME", default_value = "A")]
    a_name: String,
    /// The same of B
    #[arg(long, value_name = "NAME", default_value = "B")]
    b_name: String,
    /// What becomes of documents that are in both A and B, which is refused unless told
    #[arg(long, value_name = "drop|keep", value_parser = diff::overlap)]
    overlap: Option<DiffOverlap>,
    #[command(flatten)]
    axis: AxisArgs,
    /// Number of clusters along the axis; without one, the eigenvalues decide
    #[arg(long, value_name = "N", value_parser = flags::count::<u32>, requires = "by")]
    k: Option<u32>,
    /// Compare documents in which one latent of a correlated pair is active with those in which it is not
    #[arg(long, group = "what")]
    pairs: bool,
    /// Only pairs with this latent; may be given several times
    #[arg(long, value_name = "ID", requires = "pairs")]
    with: Vec<u32>,
    /// Only documents of this filter, of clusters and pairs
    #[arg(long, value_name = "EXPR", conflicts_with = "a")]
    filter: Option<String>,
    /// Latents that become hypotheses, those that differ most first [default: 10, of each cluster 3]
    #[arg(long, value_name = "N", value_parser = flags::count::<u32>)]
    latents: Option<u32>,
    #[command(flatten)]
    recurrence: flags::RecurrenceArgs,
    /// Adjusted p up to which a latent differs, and a hypothesis holds
    #[arg(long, value_name = "P", default_value_t = 0.05)]
    max_p: f64,
    /// Share of the documents that is held back: nothing is found, named or chosen on them
    #[arg(long, value_name = "SHARE", default_value_t = 0.5)]
    confirm: f64,
    /// Hold documents with one value of this attribute back together or not at all
    #[arg(long, value_name = "ATTRIBUTE")]
    split_by: Option<String>,
    /// Who names what differs
    #[arg(long, value_enum, default_value_t = Labeller::Keyphrase)]
    labeller: Labeller,
    /// The labeller's model: the chat endpoint's, or a GGUF file on the server
    #[arg(long, value_name = "MODEL")]
    labeller_model: Option<String>,
    /// Who judges
    #[arg(long, value_enum, default_value_t = Judge::Similarity)]
    judge: Judge,
    /// The judge's model: the chat endpoint's, or a GGUF file on the server
    #[arg(long, value_name = "MODEL")]
    judge_model: Option<String>,
    /// Judge by similarity under this encoder in place of the collection's: a name, a folder or hub id
    #[arg(long, value_name = "MODEL")]
    judge_encoder: Option<String>,
    #[command(flatten)]
    limits: LimitArgs,
    /// Documents judged of each set [default: 1,000 where similarity judges, 50 where a model does]
    #[arg(long, value_name = "N", value_parser = flags::count::<u32>)]
    judged: Option<u32>,
    /// Decides what is drawn
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Documents to show of each hypothesis that were judged to show it
    #[arg(long, value_name = "N", default_value_t = 1)]
    documents: u32,
}

pub(super) async fn run(args: Args) -> anyhow::Result<()> {
    let request = args.request.wire();
    let client = args.client.connect().await?;
    let progress = progress::follow("testing", "units");
    let found = client.hypothesise(request, progress).await?;
    output::warn(&found.summary.warnings);
    args.files.write(&view::table(&found))?;
    output::respond(args.client.json, &found, || page(&found, output::columns()))
}

impl Request {
    /// The request as it is sent.
    fn wire(&self) -> HypothesiseRequest {
        HypothesiseRequest {
            collection: self.name.clone(),
            compared: Some(self.compared()),
            latents: self.latents.unwrap_or_default(),
            min_recurrence: self.recurrence.min_recurrence,
            max_p_adjusted: Some(self.max_p),
            confirm: self.confirm,
            split_by: self.split_by.clone().unwrap_or_default(),
            labeller: LabellerKind::from(self.labeller).into(),
            labeller_model: self.labeller_model.clone().unwrap_or_default(),
            judge: JudgeKind::from(self.judge).into(),
            judge_model: self.judge_model.clone().unwrap_or_default(),
            judge_encoder: self.judge_encoder.clone().unwrap_or_default(),
            chat: Some(self.limits.wire()),
            judged: self.judged.unwrap_or_default(),
            seed: self.seed,
            documents: Some(self.documents),
            projection: Some(Projection {
                text: true,
                ..Projection::default()
            }),
        }
    }

    fn compared(&self) -> Compared {
        let filter = self.filter.clone().map(search::expression);
        if let Some(a) = &self.a {
            let set = |name: &str, filter: &String| NamedSet {
                name: name.to_owned(),
                filter: Some(search::expression(filter.clone())),
            };
            return Compared::Sets(ComparedSets {
                a: Some(set(&self.a_name, a)),
                b: self.b.as_ref().map(|b| set(&self.b_name, b)),
                overlap: self.overlap.unwrap_or(DiffOverlap::Refuse).into(),
            });
        }
        match self.pairs {
            true => Compared::Pairs(ComparedPairs {
                filter,
                latents: self.with.clone(),
                ..ComparedPairs::default()
            }),
            false => Compared::Clusters(ComparedClusters {
                filter,
                axis: Some(self.axis.wire(self.recurrence)),
                clusters: self.k.unwrap_or_default(),
                landmarks: 0,
            }),
        }
    }
}

fn page(found: &Hypotheses, columns: usize) -> String {
    let summary = &found.summary;
    let mut page = String::new();
    for (number, own) in (1..).zip(&found.hypotheses) {
        for line in text::wrap(
            &format!("{number:>3}. "),
            std::slice::from_ref(&own.sentence),
            columns,
        ) {
            let _ = writeln!(page, "{line}");
        }
        let _ = writeln!(page, "     {}", view::verdict(own));
        let _ = writeln!(page, "     {}", view::origin(own));
        for document in own.judged.iter().flat_map(|judged| &judged.documents) {
            let example = format!("{}  {}", document.id, document.text());
            let _ = writeln!(page, "     {}", format::cut(&example, EXAMPLE));
        }
    }
    for line in view::about(found) {
        let _ = writeln!(page, "{line}");
    }
    for own in summary.left_out.iter().take(LEFT_OUT) {
        let _ = writeln!(
            page,
            "left out: latent {}, {}",
            format::latent(own.latent, &own.label),
            own.why
        );
    }
    if summary.left_out.len() > LEFT_OUT {
        let more = summary.left_out.len() - LEFT_OUT;
        let _ = writeln!(page, "and {more} more left out (--json lists them)");
    }
    page
}
