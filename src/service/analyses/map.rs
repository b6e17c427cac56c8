//! Maps: documents in the plane, made once and kept under a name.

use std::io::Read as _;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use latentdb_index::analysis::{
    LayoutMethod, LayoutOptions, LayoutSpace, PointValues, attribute_values, latent_values,
    lay_out, lay_out_along,
};
use latentdb_index::{Filter, Progress, RecordKind, now};
use serde::{Deserialize, Serialize};

use super::axis::AxisRequest;
use super::{Analyses, n_latents_of};
use crate::error::{Error, ErrorKind, Result, Within as _};
use crate::service::blocking;
use crate::service::core::{Address, View};
use crate::service::labels::check_latent;
use crate::service::names::resolve_set;

/// Longest name of a map, in bytes.
const MAX_NAME: usize = 128;
/// Level of compression of what is kept.
const LEVEL: i32 = 3;

/// A map to make.
#[derive(Clone, Debug)]
pub struct MakeMapRequest {
    /// The collection.
    pub address: Address,
    /// What it is called; a map of this name is replaced.
    pub name: String,
    /// Which documents.
    pub filter: Filter,
    /// How they are laid out.
    pub layout: MapLayout,
}

/// How documents of a map are laid out.
#[derive(Clone, Debug)]
pub enum MapLayout {
    /// By their vectors or all their latents.
    Whole(LayoutOptions),
    /// By the latents of an axis alone, with the seed of what is random.
    Axis(AxisRequest, u64),
}

/// What is known of a map.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MapRecord {
    /// Its name.
    pub name: String,
    /// Whether documents are compared by latents, not by vectors.
    pub by_latents: bool,
    /// Whether it is laid out by t-SNE, not by principal components.
    pub is_tsne: bool,
    /// Whether it is laid out along an axis.
    #[serde(default)]
    pub is_axis: bool,
    /// Documents on it when it was made.
    pub documents: u64,
    /// Those that were laid out themselves.
    pub laid_out: u64,
    /// Documents that have nothing in the space.
    pub left_out: u64,
    /// When, microseconds since the epoch.
    pub created: i64,
    /// Number of the commit it was made from.
    pub sequence: u64,
}

/// The points of a map as they are kept: ids and coordinates, by one compressed text.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::service) struct KeptPoints {
    /// Zstandard in base64: the number of points as 8 bytes, then per point x and y as 2 bytes each
    /// (-1 to 1 over the range of an `i16`), then per point its id, with its length as 4 bytes before;
    /// all in little-endian order.
    data: String,
}

/// What the points of a map are coloured by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MapValue {
    /// An attribute.
    Attribute(String),
    /// A latent.
    Latent(u32),
}

/// A map to read.
#[derive(Clone, Debug)]
pub struct ReadMapRequest {
    /// The collection.
    pub address: Address,
    /// The map.
    pub name: String,
    /// What its points are coloured by.
    pub value: Option<MapValue>,
    /// Marks points.
    pub filter: Option<Filter>,
    /// Whether ids are wanted.
    pub ids: bool,
}

/// The points of a map whose documents exist. Lists are empty where they were not asked for.
#[derive(Clone, Debug)]
pub struct MapPoints {
    /// The map.
    pub map: MapRecord,
    /// Where they lie.
    pub points: Vec<[f32; 2]>,
    /// What they are coloured by.
    pub values: PointValues,
    /// Which of them the filter describes.
    pub marked: Vec<bool>,
    /// Their documents.
    pub ids: Vec<String>,
    /// Tests in the filter that no document can pass.
    pub warnings: Vec<String>,
}

/// How documents are laid out, once the latents of an axis are known.
enum Layout {
    Whole(LayoutOptions),
    Axis(Vec<u32>, u64),
}

impl Layout {
    fn is_by_latents(&self) -> bool {
        match self {
            Self::Whole(options) => options.space == LayoutSpace::Latents,
            Self::Axis(..) => true,
        }
    }

    fn is_tsne(&self) -> bool {
        match self {
            Self::Whole(options) => matches!(options.method, LayoutMethod::Tsne { .. }),
            Self::Axis(..) => false,
        }
    }
}

impl Analyses {
    /// Lays documents out and keeps where they lie.
    ///
    /// # Errors
    /// `InvalidArgument` naming the field; `NotFound` for a collection or saved set;
    /// `FailedPrecondition` where fewer than two documents have something in the space or in the axis;
    /// `Cancelled`.
    pub async fn make_map(
        self: &Arc<Self>,
        request: MakeMapRequest,
        progress: Arc<Progress>,
    ) -> Result<MapRecord> {
        check_name(&request.name)?;
        let view = self.core.view(&request.address)?;
        self.core.check_room()?;
        let layout = match request.layout {
            MapLayout::Whole(options) => {
                if options.space == LayoutSpace::Latents {
                    n_latents_of(&view)?;
                }
                Layout::Whole(options)
            }
            MapLayout::Axis(axis, seed) => {
                let axis = self.resolve_axis(&view, &axis).await?;
                Layout::Axis(axis.numbers(), seed)
            }
        };
        let filter = resolve_set(&view, &request.filter, "filter")?;
        blocking(move || {
            let found = match &layout {
                Layout::Whole(options) => {
                    let docs = view.snapshot.documents_matching(&filter)?;
                    lay_out(&view.snapshot, &docs, options, &progress)?
                }
                Layout::Axis(axis, seed) => {
                    lay_out_along(&view.snapshot, &filter, axis, *seed, &progress)?
                }
            };
            let ids = found.docs.iter().map(|&doc| view.snapshot.id(doc));
            let ids: Vec<String> = ids.collect::<Result<_>>()?;
            let points = KeptPoints::of(&ids, &found.points)?;
            let map = MapRecord {
                name: request.name,
                by_latents: layout.is_by_latents(),
                is_tsne: layout.is_tsne(),
                is_axis: matches!(layout, Layout::Axis(..)),
                documents: ids.len() as u64,
                laid_out: found.laid_out as u64,
                left_out: found.left_out as u64,
                created: now(),
                sequence: view.snapshot.sequence(),
            };
            progress.check()?;
            let handle = &view.handle;
            handle.put_record(RecordKind::MapPoints, &map.name, &points)?;
            handle.put_record(RecordKind::Map, &map.name, &map)?;
            Ok(map)
        })
        .await
    }

    /// The maps of a collection, by name.
    ///
    /// # Errors
    /// `NotFound` for the collection.
    pub async fn list_maps(&self, address: &Address) -> Result<Vec<MapRecord>> {
        let view = self.core.view(address)?;
        blocking(move || view.handle.records(RecordKind::Map)).await
    }

    /// Removes a map.
    ///
    /// # Errors
    /// `NotFound` for the collection or the map.
    pub async fn drop_map(&self, address: &Address, name: String) -> Result<()> {
        let view = self.core.view(address)?;
        blocking(move || {
            if !view.handle.remove_record(RecordKind::Map, &name)? {
                return Err(no_map(&view, &name));
            }
            view.handle.remove_record(RecordKind::MapPoints, &name)?;
            Ok(())
        })
        .await
    }

    /// The points of a map.
    ///
    /// # Errors
    /// `InvalidArgument` naming the field; `NotFound` for a collection, map or saved set.
    pub async fn read_map(
        self: &Arc<Self>,
        request: ReadMapRequest,
        progress: Arc<Progress>,
    ) -> Result<MapPoints> {
        let view = self.core.view(&request.address)?;
        if let Some(MapValue::Latent(latent)) = request.value {
            check_latent(latent, n_latents_of(&view)?).within("latent")?;
        }
        let filter = match &request.filter {
            Some(filter) => Some(resolve_set(&view, filter, "filter")?),
            None => None,
        };
        blocking(move || {
            let handle = &view.handle;
            let map: Option<MapRecord> = handle.record_of(RecordKind::Map, &request.name)?;
            let kept: Option<KeptPoints> =
                handle.record_of(RecordKind::MapPoints, &request.name)?;
            let (Some(map), Some(kept)) = (map, kept) else {
                return Err(no_map(&view, &request.name));
            };
            let (mut ids, mut points) = kept.read()?;
            progress.announce(ids.len() as u64)?;
            let snapshot = &view.snapshot;
            let found = snapshot.find_all(&ids)?;
            progress.check()?;
            let docs: Vec<u32> = found.iter().copied().flatten().collect();
            let mut exists = found.iter().map(Option::is_some);
            points.retain(|_| exists.next().unwrap_or(false));
            match request.ids {
                true => {
                    let mut exists = found.iter().map(Option::is_some);
                    ids.retain(|_| exists.next().unwrap_or(false));
                }
                false => ids.clear(),
            }
            let values = match &request.value {
                None => PointValues::default(),
                Some(MapValue::Attribute(name)) => attribute_values(snapshot, &docs, name)?,
                Some(MapValue::Latent(latent)) => latent_values(snapshot, &docs, *latent),
            };
            let marked = match &filter {
                None => Vec::new(),
                Some(filter) => {
                    let marked = snapshot.documents_matching(filter)?;
                    let is_marked = |doc: &u32| marked.binary_search(doc).is_ok();
                    docs.iter().map(is_marked).collect()
                }
            };
            Ok(MapPoints {
                map,
                points,
                values,
                marked,
                ids,
                warnings: view.warnings(),
            })
        })
        .await
    }
}

fn no_map(view: &View, name: &str) -> Error {
    Error::new(
        ErrorKind::NotFound,
        format!("collection {:?} has no map {name:?}", view.name()),
    )
}

pub(in crate::service) fn check_name(name: &str) -> Result<()> {
    match name.trim().is_empty() || name.len() > MAX_NAME {
        false => Ok(()),
        true => Err(Error::invalid(
            "name",
            format!(
                "has {} bytes; a name of 1 to {MAX_NAME} is accepted",
                name.len()
            ),
        )),
    }
}

impl KeptPoints {
    fn of(ids: &[String], points: &[[f32; 2]]) -> Result<Self> {
        let mut bytes = (ids.len() as u64).to_le_bytes().to_vec();
        for value in points.iter().flatten() {
            let scaled = (value.clamp(-1.0, 1.0) * f32::from(i16::MAX)).round() as i16;
            bytes.extend(scaled.to_le_bytes());
        }
        for id in ids {
            let length = u32::try_from(id.len()).map_err(|_| Error::internal("an id of 4 GiB"))?;
            bytes.extend(length.to_le_bytes());
            bytes.extend(id.as_bytes());
        }
        Ok(Self {
            data: BASE64.encode(zstd::encode_all(&bytes[..], LEVEL)?),
        })
    }

    pub(in crate::service) fn read(&self) -> Result<(Vec<String>, Vec<[f32; 2]>)> {
        let damaged = || Error::new(ErrorKind::Corrupted, "the points of the map are damaged");
        let packed = BASE64.decode(&self.data).map_err(|_| damaged())?;
        let mut bytes = Vec::new();
        zstd::Decoder::new(&packed[..])?.read_to_end(&mut bytes)?;
        let (count, mut rest) = bytes.split_first_chunk::<8>().ok_or_else(damaged)?;
        let count = usize::try_from(u64::from_le_bytes(*count)).map_err(|_| damaged())?;
        let (plane, ids) = rest
            .split_at_checked(count.checked_mul(4).ok_or_else(damaged)?)
            .ok_or_else(damaged)?;
        let coordinate = |bytes: &[u8]| {
            f32::from(i16::from_le_bytes([bytes[0], bytes[1]])) / f32::from(i16::MAX)
        };
        let points = plane
            .chunks_exact(4)
            .map(|point| [coordinate(&point[..2]), coordinate(&point[2..])])
            .collect();
        rest = ids;
        let mut ids = Vec::with_capacity(count);
        for _ in 0..count {
            let (length, behind) = rest.split_first_chunk::<4>().ok_or_else(damaged)?;
            let length = u32::from_le_bytes(*length) as usize;
            let (id, behind) = behind.split_at_checked(length).ok_or_else(damaged)?;
            ids.push(String::from_utf8(id.to_vec()).map_err(|_| damaged())?);
            rest = behind;
        }
        Ok((ids, points))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_come_back_as_they_were_kept() {
        let ids = ["a", "", "北京"].map(str::to_owned);
        let points = [[-1.0, 1.0], [0.0, 0.5], [0.25, -0.75]];
        let kept = KeptPoints::of(&ids, &points).unwrap();
        let (back, places) = kept.read().unwrap();
        assert_eq!(back, ids);
        for (place, point) in places.iter().flatten().zip(points.iter().flatten()) {
            assert!((place - point).abs() < 1e-4);
        }
        let cut = KeptPoints {
            data: BASE64.encode(zstd::encode_all(&9_u64.to_le_bytes()[..], 1).unwrap()),
        };
        assert_eq!(cut.read().unwrap_err().kind(), ErrorKind::Corrupted);
    }
}
