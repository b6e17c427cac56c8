//! Facets: counts over the documents of a filter by attribute value, by latent, by bucket of numbers
//! or times; statistics; and any of these again within each entry.
//!
//! What is read for a facet inside another is read once for the whole set ([`Opened`]), so that its
//! buckets are the same in every entry, and counted over the documents of each.

mod counts;
mod histogram;
mod numbers;
mod places;
mod result;
mod statistics;

use crate::document::validate_attribute_name;
use crate::error::{Error, ErrorKind, Result, Within as _};
use crate::filter::{Allowed, Filter, ResolvedFilter};
use crate::snapshot::Snapshot;

pub use counts::{AttributeFacet, LatentCount, ValueCount, attribute_facet, latent_counts};
pub use histogram::{HistogramBuckets, MAX_HISTOGRAM_BUCKETS};
pub use result::{FacetCounts, FacetEntry, FacetKey};
pub use statistics::AttributeStatistics;

use counts::{facet_over, latents_over};
use histogram::Buckets;
use numbers::Numbers;
use places::Places;
use statistics::{check_quantiles, statistics};

/// Maximum facets inside one another, the outermost included.
const MAX_LEVELS: usize = 3;
/// Maximum entries of the facets of one call, those of facets inside them included.
pub const MAX_FACET_ENTRIES: usize = 100_000;

/// What documents are counted by.
#[derive(Clone, Debug, PartialEq)]
pub struct Facet {
    /// What makes an entry.
    pub by: FacetBy,
    /// Counted again over the documents of each entry. The buckets of a histogram are those of the
    /// whole set, so that entries compare.
    pub then: Option<Box<Facet>>,
}

/// What makes an entry of a facet.
#[derive(Clone, Debug, PartialEq)]
pub enum FacetBy {
    /// The values of an attribute, the most frequent `limit` of them, ties in order of value.
    Values {
        /// The attribute.
        attribute: String,
        /// Entries listed, 1 to [`MAX_FACET_ENTRIES`].
        limit: usize,
    },
    /// Active latents, the most frequent `limit` of them, ties by number.
    Latents {
        /// Entries listed, 1 to [`MAX_FACET_ENTRIES`].
        limit: usize,
    },
    /// Buckets of an attribute's numbers or times, in their order, empty ones between included.
    Histogram {
        /// The attribute.
        attribute: String,
        /// The buckets.
        buckets: HistogramBuckets,
    },
    /// No entries: statistics of an attribute's numbers or times.
    Statistics {
        /// The attribute.
        attribute: String,
        /// Points of quantiles, 0 to 1, at most 100.
        quantiles: Vec<f64>,
    },
}

/// Counts the documents that a filter describes by each of `facets`. Exact.
///
/// ```
/// use latentdb_index::analysis::{Facet, FacetBy, FacetKey, HistogramBuckets, facets};
/// use latentdb_index::{Collection, Document, Filter, Operation, Value};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let directory = tempfile::tempdir()?;
/// let collection = Collection::open(directory.path())?;
/// let stars = [1, 2, 5].map(|stars| {
///     let mut document = Document::new(format!("review {stars}"));
///     document.attributes.insert("stars".into(), Value::Integer(stars));
///     Operation::Upsert(Box::new(document))
/// });
/// collection.write(stars.into(), None)?;
/// let buckets = HistogramBuckets::Width(2.0);
/// let by = FacetBy::Histogram { attribute: "stars".into(), buckets };
/// let found = facets(&collection.snapshot(), &Filter::All, &[Facet { by, then: None }])?;
/// let counts: Vec<u64> = found[0].entries.iter().map(|entry| entry.documents).collect();
/// assert_eq!(counts, [1, 1, 1]);
/// let (lower, upper) = (Value::Integer(0), Value::Integer(2));
/// assert_eq!(found[0].entries[0].key, FacetKey::Bucket { lower, upper });
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// `InvalidArgument` naming the place (`[0].then.histogram.width`) for a facet out of range, buckets
/// that do not suit the values, and an attribute whose values are neither numbers nor timestamps
/// where those are needed; `ResourceExhausted` for more than [`MAX_FACET_ENTRIES`] entries in
/// all.
pub fn facets(
    snapshot: &Snapshot,
    filter: &ResolvedFilter,
    facets: &[Facet],
) -> Result<Vec<FacetCounts>> {
    for (at, facet) in facets.iter().enumerate() {
        facet.check(1).within(&format!("[{at}]"))?;
    }
    if facets.is_empty() {
        return Ok(Vec::new());
    }
    let set = snapshot.allowed(filter)?;
    let mut room = MAX_FACET_ENTRIES;
    let one = |(at, facet): (usize, &Facet)| {
        let opened = Opened::of(snapshot, &set, facet, false);
        let opened = opened.within(&format!("[{at}]"))?;
        opened.count(snapshot, &set, &mut room)
    };
    facets.iter().enumerate().map(one).collect()
}

impl Facet {
    /// The attributes that it and the facets inside it read.
    pub fn attributes(&self) -> Vec<&str> {
        let mut names: Vec<&str> = self
            .then
            .iter()
            .flat_map(|then| then.attributes())
            .collect();
        names.extend(self.by.attribute());
        names
    }

    /// True when it, or a facet inside it, counts latents.
    pub fn counts_latents(&self) -> bool {
        matches!(self.by, FacetBy::Latents { .. })
            || self.then.as_ref().is_some_and(|then| then.counts_latents())
    }

    fn check(&self, level: usize) -> Result<()> {
        let limit = |limit: usize| match (1..=MAX_FACET_ENTRIES).contains(&limit) {
            true => Ok(()),
            false => Err(Error::invalid(
                "limit",
                format!("is {limit}; 1 to {MAX_FACET_ENTRIES} is accepted"),
            )),
        };
        match &self.by {
            FacetBy::Values { limit: count, .. } | FacetBy::Latents { limit: count } => {
                limit(*count)?;
            }
            FacetBy::Histogram { buckets, .. } => buckets.check().within("histogram")?,
            FacetBy::Statistics { quantiles, .. } => {
                check_quantiles(quantiles).within("statistics")?;
            }
        }
        if let Some(attribute) = self.by.attribute() {
            validate_attribute_name(attribute).within(self.by.attribute_field())?;
        }
        let Some(then) = &self.then else {
            return Ok(());
        };
        if matches!(self.by, FacetBy::Statistics { .. }) {
            return Err(Error::invalid(
                "then",
                "is given, but statistics have no entries to count in",
            ));
        }
        if level == MAX_LEVELS {
            return Err(Error::invalid(
                "then",
                format!(
                    "is facet {} inside one another; at most {MAX_LEVELS} are accepted",
                    level + 1
                ),
            ));
        }
        then.check(level + 1).within("then")
    }
}

impl FacetBy {
    fn attribute(&self) -> Option<&str> {
        match self {
            Self::Latents { .. } => None,
            Self::Values { attribute, .. }
            | Self::Histogram { attribute, .. }
            | Self::Statistics { attribute, .. } => Some(attribute),
        }
    }

    /// The field that holds the attribute.
    fn attribute_field(&self) -> &'static str {
        match self {
            Self::Values { .. } | Self::Latents { .. } => "attribute",
            Self::Histogram { .. } => "histogram.attribute",
            Self::Statistics { .. } => "statistics.attribute",
        }
    }
}

/// A facet with what it reads of a set, to be counted over the set or parts of it.
struct Opened<'a> {
    read: Read<'a>,
    then: Option<Box<Opened<'a>>>,
}

enum Read<'a> {
    /// Values counted straight from the columns, where nothing else is asked of them.
    Values {
        attribute: &'a str,
        limit: usize,
    },
    /// Entries listed by frequency.
    Frequent {
        places: Places,
        limit: usize,
    },
    /// Entries listed in their order, empty ones too.
    Ordered(Places),
    Latents {
        limit: usize,
    },
    Statistics {
        numbers: Numbers,
        quantiles: &'a [f64],
    },
}

impl<'a> Opened<'a> {
    /// Reads what `facet` needs of `set`; `is_inner` in an entry of another facet.
    fn of(snapshot: &Snapshot, set: &Allowed, facet: &'a Facet, is_inner: bool) -> Result<Self> {
        let read = match &facet.by {
            FacetBy::Values { attribute, limit } if is_inner || facet.then.is_some() => {
                Read::Frequent {
                    places: Places::of_values(snapshot, set, attribute)?,
                    limit: *limit,
                }
            }
            FacetBy::Values { attribute, limit } => Read::Values {
                attribute,
                limit: *limit,
            },
            FacetBy::Latents { limit } => Read::Latents { limit: *limit },
            FacetBy::Histogram { attribute, buckets } => {
                let places = Numbers::read(snapshot, set, attribute).and_then(|numbers| {
                    let (sorted, _) = numbers.sorted(set);
                    let buckets = Buckets::of(numbers.kind, &sorted, *buckets, attribute)?;
                    Ok(Places::of_buckets(&numbers, &buckets))
                });
                Read::Ordered(places.within("histogram")?)
            }
            FacetBy::Statistics {
                attribute,
                quantiles,
            } => Read::Statistics {
                numbers: Numbers::read(snapshot, set, attribute).within("statistics")?,
                quantiles,
            },
        };
        let then = facet.then.as_deref().map(|then| {
            let opened = Self::of(snapshot, set, then, true);
            opened.map(Box::new).within("then")
        });
        Ok(Self {
            read,
            then: then.transpose()?,
        })
    }

    /// Counts over a part of the set; `room` is how many more entries are accepted.
    fn count(&self, snapshot: &Snapshot, set: &Allowed, room: &mut usize) -> Result<FacetCounts> {
        let mut found = FacetCounts {
            documents: set.count(),
            ..FacetCounts::default()
        };
        // The numbers of the listed entries, where places have them.
        let mut listed = Vec::new();
        match &self.read {
            Read::Values { attribute, limit } => {
                let facet = facet_over(snapshot, set, attribute, *limit)?;
                found.distinct = facet.distinct;
                found.missing = found.documents - facet.documents;
                let values = facet.values.into_iter();
                let entries =
                    values.map(|entry| FacetEntry::new(FacetKey::Value(entry.value), entry.count));
                found.entries = entries.collect();
            }
            Read::Frequent { places, limit } => {
                let (mut counts, having) = places.counts(set);
                found.distinct = counts.len() as u64;
                found.missing = found.documents - having;
                counts.sort_by_key(|&(place, count)| (std::cmp::Reverse(count), place));
                counts.truncate(*limit);
                listed.extend(counts.iter().map(|count| count.0));
                found.entries = entries_of(places, counts);
            }
            Read::Ordered(places) => {
                let (counts, having) = places.counts(set);
                found.distinct = places.keys.len() as u64;
                found.missing = found.documents - having;
                listed.extend((0..).take(places.keys.len()));
                let mut all: Vec<(u32, u64)> = listed.iter().map(|&place| (place, 0)).collect();
                for (place, count) in counts {
                    all[place as usize].1 = count;
                }
                found.entries = entries_of(places, all);
            }
            Read::Latents { limit } => {
                let (mut counts, without) = latents_over(snapshot, set);
                found.distinct = counts.len() as u64;
                found.missing = without;
                counts.sort_by(|a, b| b.count.cmp(&a.count).then(a.latent.cmp(&b.latent)));
                counts.truncate(*limit);
                found.entries = counts.into_iter().map(FacetEntry::from).collect();
            }
            Read::Statistics { numbers, quantiles } => {
                let (codes, having) = numbers.sorted(set);
                found.missing = found.documents - having;
                found.statistics = statistics(numbers.kind, &codes, quantiles);
            }
        }
        take_room(room, found.entries.len())?;
        if let Some(then) = &self.then {
            let sets = self.documents(snapshot, set, &found.entries, &listed)?;
            for (entry, set) in found.entries.iter_mut().zip(sets) {
                entry.then = Some(then.count(snapshot, &set, room)?);
            }
        }
        Ok(found)
    }

    /// The documents of listed entries.
    fn documents(
        &self,
        snapshot: &Snapshot,
        set: &Allowed,
        entries: &[FacetEntry],
        listed: &[u32],
    ) -> Result<Vec<Allowed>> {
        match &self.read {
            Read::Frequent { places, .. } | Read::Ordered(places) => {
                Ok(places.documents(snapshot, set, listed))
            }
            Read::Latents { .. } => {
                let latents = entries.iter().filter_map(|entry| match entry.key {
                    FacetKey::Latent { latent, .. } => Some(latent),
                    _ => None,
                });
                latents
                    .map(|latent| set.narrowed(&Filter::latent(latent), snapshot))
                    .collect()
            }
            // Such facets are opened without another inside.
            Read::Values { .. } | Read::Statistics { .. } => Ok(Vec::new()),
        }
    }
}

fn entries_of(places: &Places, counts: Vec<(u32, u64)>) -> Vec<FacetEntry> {
    let key = |place: u32| places.keys[place as usize].clone();
    let entries = counts.into_iter();
    entries
        .map(|(place, count)| FacetEntry::new(key(place), count))
        .collect()
}

fn take_room(room: &mut usize, entries: usize) -> Result<()> {
    *room = room.checked_sub(entries).ok_or_else(|| {
        Error::new(
            ErrorKind::ResourceExhausted,
            format!(
                "the facets, those inside them included, have more than {MAX_FACET_ENTRIES} entries \
                 in all: choose smaller limits or wider buckets"
            ),
        )
    })?;
    Ok(())
}
