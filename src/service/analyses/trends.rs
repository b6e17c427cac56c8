//! What rises, falls or breaks along an order.

use std::sync::Arc;

use latentdb_index::analysis::{
    Bucket, Buckets, Side, TrendOptions, TrendRow, Trends, trends, trends_over_sets,
};
use latentdb_index::{Filter, Progress, ResolvedFilter, validate_attribute_name};

use super::{
    Analyses, LatentGroup, NamedSet, check_number, check_share, groups_of, n_latents_of, recurring,
    units,
};
use crate::error::{Result, Within as _};
use crate::service::blocking;
use crate::service::core::Address;
use crate::service::labels::ShownLabel;
use crate::service::names::resolve_set;

/// What documents are put in order by.
#[derive(Clone, Debug)]
pub enum TrendOrder {
    /// Values of an attribute, in buckets.
    Attribute(String, Buckets),
    /// Sets in their order.
    Sets(Vec<NamedSet>),
}

/// An order with its filters resolved.
enum Order {
    Attribute(String, Buckets),
    Sets(Vec<(String, ResolvedFilter)>),
}

/// What is followed along which order.
#[derive(Clone, Debug)]
pub struct TrendsRequest {
    /// The collection.
    pub address: Address,
    /// The documents.
    pub filter: Filter,
    /// The order.
    pub order: TrendOrder,
    /// How often latents come back in SAEs of other seeds that are tested; all where absent.
    pub min_recurrence: Option<f32>,
    /// Groups that are followed instead of latents.
    pub groups: Vec<LatentGroup>,
    /// What is tested and kept.
    pub options: TrendOptions,
}

/// Units along the order.
#[derive(Clone, Debug)]
pub struct TrendsResult {
    /// The order.
    pub buckets: Vec<Bucket>,
    /// Units that were tested.
    pub tested: u64,
    /// Rows that pass the bounds, listed or not.
    pub passing: u64,
    /// The listed rows.
    pub rows: Vec<LabelledTrendRow>,
    /// Tests in the filters that no document can pass.
    pub warnings: Vec<String>,
}

/// A row with its name.
#[derive(Clone, Debug)]
pub struct LabelledTrendRow {
    /// The figures.
    pub row: TrendRow,
    /// The latent or group.
    pub label: ShownLabel,
}

impl Analyses {
    /// Follows latents along an order.
    ///
    /// # Errors
    /// `InvalidArgument` naming the field; `NotFound` for a collection or saved set;
    /// `FailedPrecondition` for a collection without latents and an attribute without an order;
    /// `Cancelled` after [`Progress::stop`].
    pub async fn trends(
        self: &Arc<Self>,
        request: TrendsRequest,
        progress: Arc<Progress>,
    ) -> Result<TrendsResult> {
        let view = self.core.view(&request.address)?;
        let n_latents = n_latents_of(&view)?;
        check_number(request.options.min_change, "min_change")?;
        check_share(request.options.max_p_adjusted, "max_p_adjusted")?;
        let among = recurring(&view, request.min_recurrence, &request.groups)?;
        let (names, groups) = groups_of(request.groups, n_latents)?;
        let filter = resolve_set(&view, &request.filter, "filter")?;
        let order = match request.order {
            TrendOrder::Attribute(name, buckets) => {
                validate_attribute_name(&name).within("attribute")?;
                Order::Attribute(name, buckets)
            }
            TrendOrder::Sets(sets) => {
                let mut resolved = Vec::with_capacity(sets.len());
                for (at, set) in sets.into_iter().enumerate() {
                    let of_set = resolve_set(&view, &set.filter, &format!("sets[{at}].filter"))?;
                    let name = match &*set.name {
                        "" => (at + 1).to_string(),
                        name => name.to_owned(),
                    };
                    resolved.push((name, filter.clone().and(of_set)));
                }
                Order::Sets(resolved)
            }
        };
        let labels = self.labels.of(&view)?;
        let (warnings, shown) = (view.warnings(), view.clone());
        let options = TrendOptions {
            among,
            ..request.options
        };
        let found = blocking(move || {
            let units = units(&groups, n_latents);
            match &order {
                Order::Attribute(name, buckets) => {
                    let side = Side {
                        snapshot: &view.snapshot,
                        filter: &filter,
                    };
                    trends(side, name, *buckets, units, &options, &progress)
                }
                Order::Sets(sets) => {
                    trends_over_sets(&view.snapshot, sets, units, &options, &progress)
                }
            }
        })
        .await?;
        let Trends {
            buckets,
            tested,
            passing,
            rows,
        } = found;
        let label = |unit: u32| match names.is_empty() {
            true => shown.shown(&labels, unit),
            false => names
                .get(unit as usize)
                .map(|name| ShownLabel::of_group(name))
                .unwrap_or_default(),
        };
        Ok(TrendsResult {
            buckets,
            tested,
            passing,
            warnings,
            rows: rows
                .into_iter()
                .map(|row| LabelledTrendRow {
                    label: label(row.unit),
                    row,
                })
                .collect(),
        })
    }
}
