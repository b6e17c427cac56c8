//! Facets on the wire, for SearchService.

use std::collections::BTreeMap;

use latentdb_index::Label;
use latentdb_index::analysis::{
    AttributeStatistics, CalendarUnit, Facet, FacetBy, FacetCounts, FacetKey, HistogramBuckets,
    MAX_FACET_ENTRIES,
};
use latentdb_proto::v1;

use super::status::{entry, required};
use super::types::{count_or, wire_value};
use crate::error::{Error, Result, Within as _};
use crate::service::CountedFacets;

/// Values or latents listed, unless said otherwise.
const DEFAULT_LIMIT: usize = 20;
/// Quantiles of statistics, unless others are asked for.
const DEFAULT_QUANTILES: [f64; 3] = [0.25, 0.5, 0.75];

/// The facets of a request's field `facets`.
pub(super) fn facets(wire: Vec<v1::Facet>) -> Result<Vec<Facet>> {
    let places = wire.into_iter().enumerate();
    places
        .map(|(at, wire)| facet(wire).within(&format!("facets[{at}]")))
        .collect()
}

/// Depth is bounded by the decoder, and checked by the engine.
fn facet(wire: v1::Facet) -> Result<Facet> {
    use v1::facet::By;
    let by = required(wire.by, "by")?;
    let limit = count_or(wire.limit, DEFAULT_LIMIT, MAX_FACET_ENTRIES, "limit")?;
    if wire.limit != 0 && matches!(by, By::Histogram(_) | By::Statistics(_)) {
        return Err(Error::invalid(
            "limit",
            format!(
                "is {limit}; it is of values and latents: all buckets of a histogram are listed, and \
                 statistics have no entries"
            ),
        ));
    }
    let by = match by {
        By::Attribute(attribute) => FacetBy::Values { attribute, limit },
        By::Latents(_) => FacetBy::Latents { limit },
        By::Histogram(wire) => histogram(wire).within("histogram")?,
        By::Statistics(wire) => FacetBy::Statistics {
            attribute: wire.attribute,
            quantiles: match wire.quantiles.is_empty() {
                true => DEFAULT_QUANTILES.to_vec(),
                false => wire.quantiles,
            },
        },
    };
    let then = wire.then.map(|then| facet(*then).within("then"));
    Ok(Facet {
        by,
        then: then.transpose()?.map(Box::new),
    })
}

fn histogram(wire: v1::HistogramFacet) -> Result<FacetBy> {
    use v1::histogram_facet::Buckets;
    let buckets = match required(wire.buckets, "buckets")? {
        Buckets::Width(width) => HistogramBuckets::Width(width),
        Buckets::Calendar(unit) => HistogramBuckets::Calendar(calendar(unit)?),
        Buckets::Quantiles(count) => HistogramBuckets::Quantiles(count as usize),
    };
    Ok(FacetBy::Histogram {
        attribute: wire.attribute,
        buckets,
    })
}

fn calendar(wire: i32) -> Result<CalendarUnit> {
    Ok(match entry(wire, "calendar")? {
        v1::CalendarUnit::Unspecified => {
            let message = "is not said; hour, day, week, month, quarter and year are accepted";
            return Err(Error::invalid("calendar", message));
        }
        v1::CalendarUnit::Hour => CalendarUnit::Hour,
        v1::CalendarUnit::Day => CalendarUnit::Day,
        v1::CalendarUnit::Week => CalendarUnit::Week,
        v1::CalendarUnit::Month => CalendarUnit::Month,
        v1::CalendarUnit::Quarter => CalendarUnit::Quarter,
        v1::CalendarUnit::Year => CalendarUnit::Year,
    })
}

/// The counts of facets, latents with their labels.
pub(super) fn wire_facets(facets: CountedFacets) -> Vec<v1::FacetResult> {
    let counts = facets.counts.into_iter();
    counts
        .map(|counts| wire_facet(counts, &facets.labels))
        .collect()
}

fn wire_facet(found: FacetCounts, labels: &BTreeMap<u32, Label>) -> v1::FacetResult {
    let mut wire = v1::FacetResult {
        statistics: found.statistics.map(statistics),
        distinct: found.distinct,
        documents: found.documents,
        missing: found.missing,
        ..v1::FacetResult::default()
    };
    for entry in found.entries {
        let then = entry.then.map(|then| wire_facet(then, labels));
        let count = entry.documents;
        match entry.key {
            FacetKey::Value(value) => wire.values.push(v1::ValueCount {
                value: Some(wire_value(value)),
                count,
                then,
            }),
            FacetKey::Bucket { lower, upper } => wire.buckets.push(v1::BucketCount {
                lower: Some(wire_value(lower)),
                upper: Some(wire_value(upper)),
                count,
                then,
            }),
            FacetKey::Latent {
                latent,
                mean_activation,
            } => {
                let label = labels.get(&latent);
                wire.latents.push(v1::LatentCount {
                    latent,
                    label: label.map_or_else(String::new, |label| label.text.clone()),
                    low_confidence: label.is_some_and(Label::is_low_confidence),
                    count,
                    mean_activation,
                    then,
                });
            }
        }
    }
    wire
}

fn statistics(found: AttributeStatistics) -> v1::Statistics {
    let quantile = |(at, value)| v1::Quantile {
        at,
        value: Some(wire_value(value)),
    };
    v1::Statistics {
        values: found.values,
        min: Some(wire_value(found.min)),
        max: Some(wire_value(found.max)),
        mean: Some(wire_value(found.mean)),
        sum: found.sum.map(wire_value),
        standard_deviation: found.standard_deviation,
        quantiles: found.quantiles.into_iter().map(quantile).collect(),
    }
}
