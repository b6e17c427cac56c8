//! `latentdb latents drift`: what has changed between two times, and whether the SAE still fits.

use std::fmt::Write as _;

use latentdb_proto::v1::{
    DiffRequest, DiffRow, Filter, NamedSet, PoorlyExplained, PoorlyExplainedRequest,
};
use serde_json::{Value, json};

use crate::cli::client::{Client, ClientArgs};
use crate::cli::{flags, output, progress, search};
use crate::client::{Comparison, ToJson as _};
use crate::report::{Table, format};

/// Adjusted p-value up to which a latent has changed.
const MAX_P: f64 = 0.05;
/// Places of the median and the 90th percentile in quantiles of residuals.
const MEDIAN: usize = 2;
const NINETIETH: usize = 4;

/// The two times.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The collection
    name: String,
    /// Documents of the earlier time, for example: date < timestamp("2025-10-01")
    #[arg(long, value_name = "EXPR")]
    before: String,
    /// Documents of the later time; all others when left out
    #[arg(long, value_name = "EXPR")]
    after: Option<String>,
    /// Latents to list of those that rise, and of those that fall
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = flags::count::<u32>)]
    limit: u32,
}

/// What was found.
struct Drift {
    comparison: Comparison,
    /// How well the SAE explains documents before and after, where it reads their vectors.
    fit: Option<(PoorlyExplained, PoorlyExplained)>,
}

pub(super) async fn run(args: Args, client: &ClientArgs) -> anyhow::Result<()> {
    let is_json = client.json;
    let client = client.connect().await?;
    let before = search::expression(args.before.clone());
    let after = args.after.clone().map(search::expression);
    let request = DiffRequest {
        collection: args.name.clone(),
        a: Some(before.clone()),
        b: after
            .iter()
            .map(|filter| NamedSet {
                name: "after".to_owned(),
                filter: Some(filter.clone()),
            })
            .collect(),
        all: true,
        ..DiffRequest::default()
    };
    let found = client
        .diff(request, progress::follow("comparing", "units"))
        .await?;
    let Some(comparison) = found.comparisons.into_iter().next() else {
        anyhow::bail!("the server compared nothing");
    };
    output::warn(&comparison.head.warnings);
    let after = after.unwrap_or_else(|| search::expression(format!("not ({})", args.before)));
    let fit = fit(&client, &args.name, before, after).await?;
    let drift = Drift { comparison, fit };
    output::emit(is_json, &drift.json(), &drift.page(args.limit as usize))
}

/// The residuals of both times; `None` where the SAE reads no vectors.
async fn fit(
    client: &Client,
    name: &str,
    before: Filter,
    after: Filter,
) -> anyhow::Result<Option<(PoorlyExplained, PoorlyExplained)>> {
    let request = |filter| PoorlyExplainedRequest {
        collection: name.to_owned(),
        filter: Some(filter),
        limit: 1,
        projection: None,
    };
    let before = match client.poorly_explained(request(before), |_| ()).await {
        Ok(before) => before,
        Err(status) if status.code() == tonic::Code::FailedPrecondition => {
            let why = status.message();
            output::warn(&[format!("how well the SAE fits is not told: {why}")]);
            return Ok(None);
        }
        Err(status) => return Err(status.into()),
    };
    let after = client.poorly_explained(request(after), |_| ()).await?;
    Ok(Some((before, after)))
}

impl Drift {
    fn rows(&self) -> &[DiffRow] {
        &self.comparison.rows
    }

    /// Share of all activity that is in other latents now: half the sum of differences of shares over the mean of
    /// their sums, 0 where every latent is as frequent, 1 where none is active in both.
    fn moved(&self) -> f64 {
        let differences: f64 = self.rows().iter().map(|row| row.delta.abs()).sum();
        let sums: f64 = self.rows().iter().map(|row| row.a + row.b).sum();
        if sums > 0.0 { differences / sums } else { 0.0 }
    }

    fn count(&self, is: impl Fn(&DiffRow) -> bool) -> u64 {
        self.rows().iter().filter(|row| is(row)).count() as u64
    }

    /// Latents that changed, those that changed most first.
    fn changed(&self, rises: bool) -> Vec<&DiffRow> {
        let mut rows: Vec<&DiffRow> = self
            .rows()
            .iter()
            .filter(|row| row.p_adjusted <= MAX_P && (row.delta < 0.0) == rises && row.delta != 0.0)
            .collect();
        rows.sort_by(|x, y| y.delta.abs().total_cmp(&x.delta.abs()));
        rows
    }

    fn json(&self) -> Value {
        let rows = |rises| -> Vec<Value> {
            self.changed(rises)
                .into_iter()
                .map(|row| row.to_json())
                .collect()
        };
        let quantiles = |own: &PoorlyExplained| json!(own.quantiles);
        json!({
            "before_documents": self.comparison.head.a_documents,
            "after_documents": self.comparison.head.b_documents,
            "moved": self.moved(),
            "only_before": self.count(|row| row.a_count > 0 && row.b_count == 0),
            "only_after": self.count(|row| row.a_count == 0 && row.b_count > 0),
            "both": self.count(|row| row.a_count > 0 && row.b_count > 0),
            "rising": rows(true),
            "falling": rows(false),
            "residuals_before": self.fit.as_ref().map(|fit| quantiles(&fit.0)),
            "residuals_after": self.fit.as_ref().map(|fit| quantiles(&fit.1)),
        })
    }

    fn page(&self, limit: usize) -> String {
        let head = &self.comparison.head;
        let (rising, falling) = (self.changed(true), self.changed(false));
        let shown = |rows: &[&DiffRow]| -> Vec<DiffRow> {
            rows.iter().take(limit).map(|row| (*row).clone()).collect()
        };
        let mut page = String::new();
        for (name, rows) in [("rising", &rising), ("falling", &falling)] {
            let shown = shown(rows);
            let percent = |share: f64| format!("{:.2}%", 100.0 * share);
            let table = Table::of(&shown)
                .text(name, |row| format::latent(row.latent, &row.label))
                .number("before", |row| percent(row.a))
                .number("after", |row| percent(row.b))
                .number("adjusted p", |row| format::p_value(row.p_adjusted))
                .build();
            page.push_str(&table.page(output::table_columns()));
        }
        let thousands = format::thousands;
        let _ = writeln!(
            page,
            "{} before, {} after: {} latents rise, {} fall; {} are new, {} are gone; {:.1}% of all activity is in other \
             latents",
            format::counted(head.a_documents, "document"),
            thousands(head.b_documents),
            thousands(rising.len() as u64),
            thousands(falling.len() as u64),
            thousands(self.count(|row| row.a_count == 0 && row.b_count > 0)),
            thousands(self.count(|row| row.a_count > 0 && row.b_count == 0)),
            100.0 * self.moved(),
        );
        if let Some((before, after)) = &self.fit {
            let at = |own: &PoorlyExplained, place: usize| {
                let share = own.quantiles.get(place);
                share.map_or("-".to_owned(), |share| format!("{share:.3}"))
            };
            let _ = writeln!(
                page,
                "share of a vector that the SAE leaves: median {} before, {} after; 90% of documents below {} \
                 and {}",
                at(before, MEDIAN),
                at(after, MEDIAN),
                at(before, NINETIETH),
                at(after, NINETIETH),
            );
        }
        page
    }
}
