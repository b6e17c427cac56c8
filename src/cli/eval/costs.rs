//! `latentdb eval costs`: what a diff with hypotheses and a property query take, beside a language model that reads
//! the documents (arXiv 2512.10092 claims 2 to 8 times less).

use std::time::Instant;

use anyhow::bail;
use latentdb_proto::v1::hypothesise_request::Compared;
use latentdb_proto::v1::property_query::From;
use latentdb_proto::v1::query::Kind;
use latentdb_proto::v1::{
    ComparedSets, CountRequest, Document, Filter, FilterList, HypothesiseRequest, IdFilter,
    JudgeKind, LabellerKind, MatchingQuery, NamedSet, Projection, PropertyQuery, SearchRequest,
    filter,
};
use serde_json::{Value, json};

use super::judging::{JudgeArgs, JudgeModel};
use crate::cli::client::{Client, ClientArgs};
use crate::cli::{flags, output, search};
use crate::label::{Event, Evidence, Passage, run_each};
use crate::progress::Progress;
use crate::report::{aligned, format};

/// Documents of each side that a labeller reads at once (arXiv 2512.10092).
const TOGETHER: usize = 10;

/// What is compared and looked for, and who reads.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The collection
    #[arg(long, value_name = "NAME")]
    collection: String,
    /// The first set of the diff
    #[arg(long, value_name = "EXPR")]
    a: String,
    /// The set that it is compared with
    #[arg(long, value_name = "EXPR")]
    b: String,
    /// The property that is looked for
    #[arg(long, value_name = "TEXT")]
    property: String,
    /// Documents that have it, so that both ways are scored
    #[arg(long, value_name = "EXPR")]
    relevant: Option<String>,
    /// Hypotheses at most
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = flags::count::<u32>)]
    latents: u32,
    /// Documents of each set that hypotheses are judged on
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = flags::count::<u32>)]
    judged_documents: u32,
    /// Documents that the model reads in place of latents: of each set, and for the property. What the whole sets
    /// and the whole collection would take is told in proportion
    #[arg(long, value_name = "N", default_value_t = 60, value_parser = flags::count::<u32>)]
    read: u32,
    /// Decides what is drawn
    #[arg(long, default_value_t = 0)]
    seed: u64,
    #[command(flatten)]
    judge: JudgeArgs,
    #[command(flatten)]
    client: ClientArgs,
}

/// What something took.
#[derive(Clone, Copy, Debug, Default)]
struct Cost {
    tokens: u64,
    seconds: f64,
}

impl Cost {
    fn times(self, factor: f64) -> Self {
        Self {
            tokens: (self.tokens as f64 * factor).round() as u64,
            seconds: self.seconds * factor,
        }
    }

    fn and(self, other: Self) -> Self {
        Self {
            tokens: self.tokens + other.tokens,
            seconds: self.seconds + other.seconds,
        }
    }

    fn json(self) -> Value {
        json!({ "tokens": self.tokens, "seconds": self.seconds })
    }
}

pub(super) async fn run(args: Args) -> anyhow::Result<()> {
    let Some(model) = args.judge.open().await? else {
        bail!("a language model has to read: --judge local, or --chat-url and --chat-model");
    };
    let client = args.client.connect().await?;
    let a = set(&client, &args, &args.a).await?;
    let b = set(&client, &args, &args.b).await?;
    let all = sample(&client, &args, None).await?;
    let diff = by_latents(&client, &args, &model).await?;
    // The baseline judges as many hypotheses on as many documents.
    let finding = read_sets(&model, &a.documents, &b.documents).await?;
    let share = (a.total + b.total) as f64 / (a.documents.len() + b.documents.len()).max(1) as f64;
    let reading = Compare {
        latents: diff.naming.and(diff.judging),
        read: finding.and(diff.judging),
        read_all: finding.times(share).and(diff.judging),
    };
    let found = property(&client, &args, &model, &all).await?;
    let value = json!({
        "model": model.judges().name(),
        "diff": {
            "hypotheses": diff.hypotheses,
            "by_latents": { "naming": diff.naming.json(), "judging": diff.judging.json() },
            "by_reading": reading.read.json(),
            "by_reading_all": reading.read_all.json(),
            "documents_read": a.documents.len() + b.documents.len(),
            "documents": a.total + b.total,
        },
        "property": {
            "by_latents": found.costs.latents.json(),
            "by_reading": found.costs.read.json(),
            "by_reading_all": found.costs.read_all.json(),
            "documents_read": all.documents.len(),
            "documents": all.total,
            "average_precision_by_latents": found.precision.map(|own| own.0),
            "average_precision_by_reading": found.precision.map(|own| own.1),
        },
    });
    output::emit(
        args.client.json,
        &value,
        &page(&value, &reading, &found.costs),
    )
}

/// The three ways of one task.
struct Compare {
    latents: Cost,
    /// What was read here, and all of it in proportion.
    read: Cost,
    read_all: Cost,
}

fn page(value: &Value, diff: &Compare, property: &Compare) -> String {
    let ratio = |own: &Compare| match own.latents.tokens {
        0 => "no tokens".to_owned(),
        tokens => format!(
            "{:.1} times fewer tokens",
            own.read_all.tokens as f64 / tokens as f64
        ),
    };
    let row = |task: &str, way: String, cost: Cost, remark: String| {
        vec![
            task.to_owned(),
            way,
            format::thousands(cost.tokens),
            format!("{:.1}", cost.seconds),
            remark,
        ]
    };
    let counted = |task: &str, field: &str| {
        format::counted(value[task][field].as_u64().unwrap_or_default(), "document")
    };
    let mut rows = Vec::new();
    for (task, own) in [("diff", diff), ("property", property)] {
        rows.push(row(task, "latents".to_owned(), own.latents, ratio(own)));
        let read = format!("reading {}", counted(task, "documents_read"));
        rows.push(row(task, read, own.read, String::new()));
        let all = format!("reading all, {}", counted(task, "documents"));
        rows.push(row(task, all, own.read_all, "in proportion".to_owned()));
    }
    let mut page = aligned(&["task", "by", "tokens", "seconds", ""], &rows);
    let precision = &value["property"];
    if let (Some(latents), Some(reading)) = (
        precision["average_precision_by_latents"].as_f64(),
        precision["average_precision_by_reading"].as_f64(),
    ) {
        page.push_str(&format!(
            "average precision of the property on the documents read: {latents:.3} by latents, {reading:.3} by \
             reading\n"
        ));
    }
    page.push_str(&format!(
        "{} reads; {} judged on as many documents both ways\n",
        value["model"].as_str().unwrap_or_default(),
        match value["diff"]["hypotheses"].as_u64() {
            Some(1) => "1 hypothesis is".to_owned(),
            many => format!("{} hypotheses are", many.unwrap_or_default()),
        }
    ));
    page
}

/// Documents drawn of a set, and how many it has.
struct Drawn {
    documents: Vec<Document>,
    total: u64,
}

async fn set(client: &Client, args: &Args, expression: &str) -> anyhow::Result<Drawn> {
    let filter = search::expression(expression.to_owned());
    let drawn = sample(client, args, Some(filter)).await?;
    if drawn.documents.is_empty() {
        bail!("no document is of {expression:?}");
    }
    Ok(drawn)
}

async fn sample(client: &Client, args: &Args, filter: Option<Filter>) -> anyhow::Result<Drawn> {
    let request = CountRequest {
        collection: args.collection.clone(),
        filter: filter.clone(),
    };
    let total = client.searches().count(request).await?.into_inner().count;
    let documents = matching(client, args, filter, args.read, Some(args.seed)).await?;
    Ok(Drawn { documents, total })
}

/// Documents of a filter, drawn at random where a seed is given.
async fn matching(
    client: &Client,
    args: &Args,
    filter: Option<Filter>,
    limit: u32,
    sample_seed: Option<u64>,
) -> anyhow::Result<Vec<Document>> {
    let matching = MatchingQuery {
        sample_seed,
        ..MatchingQuery::default()
    };
    let mut query = search::node("matching", Kind::Matching(matching));
    query.filter = filter;
    let request = SearchRequest {
        collection: args.collection.clone(),
        query: Some(query),
        limit,
        projection: Some(Projection {
            text: true,
            ..Projection::default()
        }),
        ..SearchRequest::default()
    };
    let found = client.searches().search(request).await?.into_inner();
    Ok(found
        .hits
        .into_iter()
        .filter_map(|hit| hit.document)
        .collect())
}

struct Diff {
    hypotheses: usize,
    naming: Cost,
    judging: Cost,
}

/// The server's way: latents that differ, labelled and judged.
async fn by_latents(client: &Client, args: &Args, model: &JudgeModel) -> anyhow::Result<Diff> {
    let set = |expression: &str| NamedSet {
        name: String::new(),
        filter: Some(search::expression(expression.to_owned())),
    };
    let (labeller, judge) = match model {
        JudgeModel::Chat(_) => (LabellerKind::Chat, JudgeKind::Chat),
        JudgeModel::Local(_) => (LabellerKind::Local, JudgeKind::Local),
    };
    let request = HypothesiseRequest {
        collection: args.collection.clone(),
        compared: Some(Compared::Sets(ComparedSets {
            a: Some(set(&args.a)),
            b: Some(set(&args.b)),
            ..ComparedSets::default()
        })),
        latents: args.latents,
        labeller: labeller.into(),
        judge: judge.into(),
        judged: args.judged_documents,
        seed: args.seed,
        documents: Some(0),
        ..HypothesiseRequest::default()
    };
    let found = client.hypothesise(request, |_| ()).await?;
    output::warn(&found.summary.warnings);
    let summary = found.summary;
    Ok(Diff {
        hypotheses: found.hypotheses.len(),
        naming: Cost {
            tokens: summary.naming_tokens,
            seconds: summary.naming_seconds,
        },
        judging: Cost {
            tokens: summary.tokens - summary.naming_tokens,
            seconds: summary.judging_seconds,
        },
    })
}

/// A model that reads all documents of both sets, ten of each at once, and names what the first have in common and
/// the others have not.
async fn read_sets(model: &JudgeModel, a: &[Document], b: &[Document]) -> anyhow::Result<Cost> {
    let batches: Vec<(Vec<String>, Vec<String>)> = a
        .chunks(TOGETHER)
        .zip(b.chunks(TOGETHER))
        .flat_map(|(a, b)| {
            let texts = |documents: &[Document]| -> Vec<String> {
                documents.iter().map(|own| own.text().to_owned()).collect()
            };
            // Once for what A has more of, once for B.
            [(texts(a), texts(b)), (texts(b), texts(a))]
        })
        .collect();
    let (_, cost) = model
        .measured(move |model, progress| {
            let name = |(active, inactive): &(Vec<String>, Vec<String>)| {
                let evidence = Evidence {
                    active: active
                        .iter()
                        .map(|text| (Passage::whole(text), 1.0))
                        .collect(),
                    inactive: inactive.iter().map(|text| Passage::whole(text)).collect(),
                    ..Evidence::default()
                };
                model.labels().label(&evidence, progress)
            };
            run_each(
                &batches,
                model.labels().concurrency(),
                progress,
                name,
                &mut |_| (),
            )
        })
        .await?;
    Ok(cost)
}

struct Found {
    costs: Compare,
    /// Average precision by latents and by reading, where it is known which documents are relevant.
    precision: Option<(f64, f64)>,
}

/// The property by latents of the index, and by a model that reads each document.
async fn property(
    client: &Client,
    args: &Args,
    model: &JudgeModel,
    drawn: &Drawn,
) -> anyhow::Result<Found> {
    let begun = Instant::now();
    let query = PropertyQuery {
        from: Some(From::Text(args.property.clone())),
        candidates: 100,
        ..PropertyQuery::default()
    };
    let ids: Vec<String> = drawn.documents.iter().map(|own| own.id.clone()).collect();
    let mut query = search::node("property", Kind::Property(query));
    query.filter = Some(of_ids(&ids));
    let request = SearchRequest {
        collection: args.collection.clone(),
        query: Some(query),
        limit: u32::try_from(ids.len())?,
        ..SearchRequest::default()
    };
    let ranked = client.searches().search(request).await?.into_inner();
    let latents = Cost {
        tokens: 0,
        seconds: begun.elapsed().as_secs_f64(),
    };
    let texts: Vec<String> = drawn
        .documents
        .iter()
        .map(|own| own.text().to_owned())
        .collect();
    let label = args.property.clone();
    let (scores, read) = model
        .measured(move |model, progress| {
            let mut scores = vec![f64::NEG_INFINITY; texts.len()];
            let judge = model.judges();
            let read = |text: &String| judge.holds(&label, &Passage::whole(text), progress);
            run_each(&texts, judge.concurrency(), progress, read, &mut |event| {
                if let Event::Done(at, Some(score)) = event {
                    scores[at] = score;
                }
            })?;
            Ok(scores)
        })
        .await?;
    let costs = Compare {
        latents,
        read,
        read_all: read.times(drawn.total as f64 / drawn.documents.len().max(1) as f64),
    };
    let Some(relevant) = &args.relevant else {
        return Ok(Found {
            costs,
            precision: None,
        });
    };
    let both = Filter {
        kind: Some(filter::Kind::AllOf(FilterList {
            filters: vec![search::expression(relevant.clone()), of_ids(&ids)],
        })),
    };
    let found = matching(client, args, Some(both), u32::try_from(ids.len())?, None).await?;
    let relevant: Vec<String> = found.into_iter().map(|own| own.id).collect();
    let by_latents: Vec<String> = ranked
        .hits
        .into_iter()
        .filter_map(|hit| Some(hit.document?.id))
        .collect();
    let mut by_reading: Vec<(f64, &String)> = scores.into_iter().zip(&ids).collect();
    by_reading.sort_by(|x, y| y.0.total_cmp(&x.0).then(x.1.cmp(y.1)));
    let by_reading: Vec<String> = by_reading.into_iter().map(|(_, id)| id.clone()).collect();
    Ok(Found {
        costs,
        precision: Some((
            precision(&by_latents, &relevant),
            precision(&by_reading, &relevant),
        )),
    })
}

fn of_ids(ids: &[String]) -> Filter {
    Filter {
        kind: Some(filter::Kind::Ids(IdFilter {
            ids: ids.to_vec(),
            ..IdFilter::default()
        })),
    }
}

/// Average precision of a ranking.
fn precision(ranked: &[String], relevant: &[String]) -> f64 {
    let (mut hits, mut sum) = (0.0, 0.0);
    for (rank, id) in (1..).zip(ranked) {
        if relevant.contains(id) {
            hits += 1.0;
            sum += hits / f64::from(rank);
        }
    }
    sum / relevant.len().max(1) as f64
}

impl JudgeModel {
    /// Has the model work, and says what that took.
    async fn measured<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Self, &Progress) -> crate::error::Result<T> + Send + 'static,
    ) -> anyhow::Result<(T, Cost)> {
        let (before, begun) = (self.judges().tokens(), Instant::now());
        let done = self.at_work(work).await?;
        Ok((
            done,
            Cost {
                tokens: self.judges().tokens() - before,
                seconds: begun.elapsed().as_secs_f64(),
            },
        ))
    }
}
