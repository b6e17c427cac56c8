//! `latentdb diff`.

use std::fmt::Write as _;
use std::path::PathBuf;

use anyhow::{Context as _, bail};
use latentdb_proto::v1::diff_response::Part;
use latentdb_proto::v1::{
    DiffComparison, DiffDirection, DiffMeasure, DiffRequest, DiffRow, Document, LatentGroup,
    NamedSet, StatisticalTest,
};
use serde_json::{Map, Value, json};

use super::client::{Client, ClientArgs};
use super::table::{FileArgs, Table};
use super::{figures, json, output, progress, search, text};
use crate::records::{self, Source};

/// What is compared, and what comes of it.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    pub(super) request: Request,
    /// Draw the 20 largest differences to this SVG file; with several --b to FILE-1.svg, FILE-2.svg and
    /// so on
    #[arg(long, value_name = "FILE.svg")]
    plot: Option<PathBuf>,
    #[command(flatten)]
    files: FileArgs,
    #[command(flatten)]
    client: ClientArgs,
}

/// What is compared.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Request {
    /// The collection
    pub(super) name: String,
    /// The first set, for example: source = "tweets"
    #[arg(long, value_name = "EXPR")]
    pub(super) a: String,
    /// The set it is compared with; several are compared each and together. Everything that is not
    /// in A where absent
    #[arg(long, value_name = "EXPR")]
    pub(super) b: Vec<String>,
    /// The sets of B are in this collection, which has the same SAE
    #[arg(long, value_name = "NAME")]
    b_collection: Option<String>,
    /// Vouch that latents of both collections mean the same, where not both have an SAE or they read
    /// texts differently
    #[arg(long, requires = "b_collection")]
    same_latents: bool,
    /// Pair documents with the same value of this attribute
    #[arg(long, value_name = "ATTRIBUTE", conflicts_with = "mean")]
    pub(super) pair_by: Option<String>,
    /// Compare mean activations, not shares of documents
    #[arg(long)]
    pub(super) mean: bool,
    /// Count a latent as active above this activation
    #[arg(long, value_name = "ACTIVATION", default_value_t = 0.0)]
    above: f32,
    /// Test latents in at least this many documents of both sets together
    #[arg(long, value_name = "N", default_value_t = 1)]
    min_support: u64,
    /// Confidence of the intervals
    #[arg(long, value_name = "SHARE")]
    confidence: Option<f64>,
    /// Compare groups of latents: records with the fields name and latents
    #[arg(long, value_name = "FILE", conflicts_with = "mean")]
    groups: Option<PathBuf>,
    /// List every latent, by number
    #[arg(long)]
    all: bool,
    /// List differences larger than this [default: .03, with --mean 0]
    #[arg(long, value_name = "DELTA", conflicts_with = "all")]
    min_delta: Option<f64>,
    /// List what one side has more of
    #[arg(long, value_name = "a|b", value_parser = side, conflicts_with = "all")]
    more_in: Option<DiffDirection>,
    /// List latents with at most this adjusted p-value
    #[arg(long, value_name = "P", conflicts_with = "all")]
    max_p: Option<f64>,
    /// List what A has and at most this share of B has: 0 for what B has not at all
    #[arg(long, value_name = "SHARE", conflicts_with = "all")]
    max_b_share: Option<f64>,
    /// Rows to list, the largest differences first
    #[arg(long, default_value_t = 200, conflicts_with = "all")]
    limit: u32,
    /// Documents to show for each row; with --pair-by, of pairs in which only one side has it, and
    /// beside each the other side's
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(super) documents: u32,
}

/// A comparison, put together.
pub(super) struct Compared {
    pub(super) head: DiffComparison,
    pub(super) rows: Vec<DiffRow>,
}

pub(super) async fn run(args: Args) -> anyhow::Result<()> {
    let request = args.request.wire()?;
    let client = args.client.connect().await?;
    let found = fetch(&client, request).await?;
    args.files.write(|| table(&found))?;
    let page = page(&args.request, &found, output::columns());
    output::emit(args.client.json, &value(&args.request, &found), &page)?;
    match &args.plot {
        Some(path) => figures::write_differences(path, &args.request, &found),
        None => Ok(()),
    }
}

fn side(text: &str) -> Result<DiffDirection, String> {
    match text {
        "a" => Ok(DiffDirection::MoreInA),
        "b" => Ok(DiffDirection::MoreInB),
        other => Err(format!("{other:?} is no side; accepted are a and b")),
    }
}

impl Request {
    /// What is counted, in the plural.
    pub(super) fn unit(&self) -> &'static str {
        if self.pair_by.is_some() {
            "pairs"
        } else {
            "documents"
        }
    }

    /// The request as it is sent.
    pub(super) fn wire(&self) -> anyhow::Result<DiffRequest> {
        let set = |filter: &String| NamedSet {
            name: filter.clone(),
            filter: Some(search::expression(filter.clone())),
        };
        let measure = if self.mean {
            DiffMeasure::MeanActivation
        } else {
            DiffMeasure::Prevalence
        };
        Ok(DiffRequest {
            collection: self.name.clone(),
            a: Some(search::expression(self.a.clone())),
            b: self.b.iter().map(set).collect(),
            b_collection: self.b_collection.clone().unwrap_or_default(),
            measure: measure.into(),
            active_above: self.above,
            min_support: self.min_support,
            confidence: self.confidence,
            pair_by: self.pair_by.clone().unwrap_or_default(),
            groups: groups(self.groups.as_deref())?,
            all: self.all,
            min_delta: self.min_delta,
            direction: self.more_in.unwrap_or_default().into(),
            max_p_adjusted: self.max_p,
            max_b_share: self.max_b_share,
            limit: self.limit,
            documents: self.documents,
            same_latents: self.same_latents,
        })
    }
}

/// Groups of latents of a file; none without one.
pub(super) fn groups(path: Option<&std::path::Path>) -> anyhow::Result<Vec<LatentGroup>> {
    let Some(path) = path else {
        return Ok(Vec::new());
    };
    let mut groups = Vec::new();
    for record in records::open(&Source::Path(path.to_owned()), None)? {
        let record = record?;
        let group = || -> anyhow::Result<LatentGroup> {
            let name = record.get("name").ok_or_else(|| record.missing("name"))?;
            let latents = record
                .get("latents")
                .ok_or_else(|| record.missing("latents"))?;
            let numbers = latents.as_array().map(|latents| {
                let number = |latent: &Value| u32::try_from(latent.as_u64()?).ok();
                latents.iter().map(number).collect::<Option<Vec<u32>>>()
            });
            Ok(LatentGroup {
                name: text::plain(name),
                latents: numbers
                    .flatten()
                    .with_context(|| format!("{latents} is no list of numbers of latents"))?,
            })
        };
        groups.push(group().with_context(|| format!("{} is no group", record.position()))?);
    }
    if groups.is_empty() {
        bail!("{} holds no groups", path.display());
    }
    Ok(groups)
}

/// Asks the server, with a bar.
pub(super) async fn fetch(client: &Client, request: DiffRequest) -> anyhow::Result<Vec<Compared>> {
    let stream = client.analyses().diff(request).await?.into_inner();
    let mut found: Vec<Compared> = Vec::new();
    progress::follow(stream, "comparing", "units", |message| {
        match message.part {
            Some(Part::Progress(now)) => return Ok(Some(now)),
            Some(Part::Comparison(head)) => found.push(Compared {
                head,
                rows: Vec::new(),
            }),
            Some(Part::Rows(batch)) => match found.last_mut() {
                Some(last) => last.rows.extend(batch.rows),
                None => bail!("the server sent rows of no comparison"),
            },
            None => {}
        }
        Ok(None)
    })
    .await?;
    if found.is_empty() {
        bail!("the server ended the call before anything was compared");
    }
    Ok(found)
}

/// The name of a test.
pub(super) fn test_name(test: i32) -> &'static str {
    match StatisticalTest::try_from(test) {
        Ok(StatisticalTest::Untested) | Err(_) => "untested",
        Ok(StatisticalTest::Fisher) => "fisher",
        Ok(StatisticalTest::TwoProportion) => "two-proportion",
        Ok(StatisticalTest::Welch) => "welch",
        Ok(StatisticalTest::McnemarExact) => "mcnemar-exact",
        Ok(StatisticalTest::Mcnemar) => "mcnemar",
    }
}

/// A p-value as a person reads it.
pub(super) fn p_value(p: f64) -> String {
    if p < 1e-300 {
        "<1e-300".to_owned()
    } else if p < 0.001 {
        format!("{p:.0e}")
    } else {
        format!("{p:.3}")
    }
}

/// All comparisons as one table.
pub(super) fn table(found: &[Compared]) -> Table {
    let rows: Vec<(&str, &DiffRow)> = found
        .iter()
        .flat_map(|one| one.rows.iter().map(|row| (&*one.head.name, row)))
        .collect();
    let of = || rows.iter().map(|(_, row)| *row);
    let mut table = Table::default();
    table.text("b", rows.iter().map(|(name, _)| Some(*name)));
    table.integer("latent", of().map(|row| Some(row.latent.into())));
    table.text("label", of().map(|row| Some(&*row.label)));
    table.integer("a_count", of().map(|row| Some(row.a_count)));
    table.integer("b_count", of().map(|row| Some(row.b_count)));
    table.number("a", of().map(|row| row.a));
    table.number("b_value", of().map(|row| row.b));
    table.number("delta", of().map(|row| row.delta));
    table.number("relative", of().map(|row| row.relative));
    table.number("low", of().map(|row| row.low));
    table.number("high", of().map(|row| row.high));
    table.integer("only_a", of().map(|row| row.only_a));
    table.integer("only_b", of().map(|row| row.only_b));
    table.text("test", of().map(|row| Some(test_name(row.test))));
    table.number("p_value", of().map(|row| row.p_value));
    table.number("p_adjusted", of().map(|row| row.p_adjusted));
    table
}

fn value(request: &Request, found: &[Compared]) -> Value {
    let mut comparisons: Vec<Value> = found
        .iter()
        .map(|one| comparison(request, one).into())
        .collect();
    // One comparison is the answer itself; of several, the union is, beside all of them.
    match comparisons.pop() {
        Some(only) if comparisons.is_empty() => only,
        Some(Value::Object(mut last)) => {
            last.insert("comparisons".to_owned(), comparisons.into());
            last.into()
        }
        _ => Value::Null,
    }
}

fn comparison(request: &Request, one: &Compared) -> Map<String, Value> {
    let head = &one.head;
    let fields = json!({
        "a": {"filter": request.a, "documents": head.a_documents, "unpaired": head.a_unpaired},
        "b": {"filter": head.name, "documents": head.b_documents, "unpaired": head.b_unpaired},
        "shared": head.shared,
        "tested": head.tested,
        "passing": head.passing,
        "rows": one.rows.iter().map(row_value).collect::<Vec<_>>(),
    });
    match fields {
        Value::Object(fields) => fields,
        _ => Map::new(),
    }
}

fn row_value(row: &DiffRow) -> Value {
    let mut counterparts = row.counterparts.iter();
    let documents: Vec<Value> = row
        .documents
        .iter()
        .map(|entry| {
            let mut value = json::activating(entry);
            if let (Some(beside), Value::Object(fields)) = (counterparts.next(), &mut value) {
                fields.insert("counterpart".to_owned(), json::document(beside).into());
            }
            value
        })
        .collect();
    json!({
        "latent": row.latent,
        "label": json::some_text(&row.label),
        "low_confidence": row.low_confidence,
        "a_count": row.a_count,
        "b_count": row.b_count,
        "a": row.a,
        "b": row.b,
        "delta": row.delta,
        "relative": row.relative,
        "interval": [row.low, row.high],
        "only_a": row.only_a,
        "only_b": row.only_b,
        "test": test_name(row.test),
        "p_value": row.p_value,
        "p_adjusted": row.p_adjusted,
        "documents": documents,
    })
}

fn page(request: &Request, found: &[Compared], columns: usize) -> String {
    let mut page = String::new();
    for one in found {
        let head = &one.head;
        let unit = request.unit();
        let _ = writeln!(
            page,
            "A {} ({} {unit})\nB {} ({})",
            request.a,
            text::thousands(head.a_documents),
            head.name,
            text::thousands(head.b_documents),
        );
        if let (Some(a), Some(b)) = (head.a_unpaired, head.b_unpaired)
            && a + b > 0
        {
            let _ = writeln!(page, "without a pair: {a} in A, {b} in B");
        }
        match head.shared {
            Some(shared) if shared > 0 && request.pair_by.is_none() => {
                let shared = text::thousands(shared);
                let _ = writeln!(
                    page,
                    "in both: {shared}; the tests take A and B as separate"
                );
            }
            _ => {}
        }
        page.push_str(&rows(request, &one.rows, columns));
        let _ = writeln!(
            page,
            "{} of {} that pass; {} tested\n",
            text::thousands(one.rows.len() as u64),
            text::thousands(head.passing),
            text::thousands(head.tested),
        );
    }
    page.truncate(page.trim_end().len());
    page.push('\n');
    page
}

fn rows(request: &Request, rows: &[DiffRow], columns: usize) -> String {
    let figure = |value: f64| {
        if request.mean {
            format!("{value:.4}")
        } else {
            format!("{:.1}%", value * 100.0)
        }
    };
    let signed = |value: f64| {
        let sign = if value >= 0.0 { "+" } else { "" };
        if request.mean {
            format!("{sign}{value:.4}")
        } else {
            format!("{sign}{:.1}", value * 100.0)
        }
    };
    let cells: Vec<Vec<String>> = rows
        .iter()
        .map(|row| {
            vec![
                text::latent(
                    row.latent,
                    &text::shown(&row.label, row.low_confidence),
                    &text::label,
                ),
                figure(row.a),
                figure(row.b),
                signed(row.delta),
                format!("{} to {}", signed(row.low), signed(row.high)),
                p_value(row.p_adjusted),
            ]
        })
        .collect();
    let header = [
        "latent",
        "in A",
        "in B",
        "difference",
        "interval",
        "adjusted p",
    ];
    let table = text::table(&header, &cells);
    let mut lines = table.lines();
    let mut page = String::new();
    let _ = writeln!(page, "{}", lines.next().unwrap_or_default());
    for (line, row) in lines.zip(rows) {
        let _ = writeln!(page, "{line}");
        let mut counterparts = row.counterparts.iter();
        let shown = |document: &Document| {
            let shown = document.text.as_deref().unwrap_or(&document.id);
            text::cut(shown, columns.saturating_sub(12))
        };
        for entry in &row.documents {
            let document = entry.document.clone().unwrap_or_default();
            let _ = writeln!(page, "    {:>6.2}  {}", entry.activation, shown(&document));
            if let Some(beside) = counterparts.next() {
                let _ = writeln!(page, "    beside  {}", shown(beside));
            }
        }
    }
    page
}
