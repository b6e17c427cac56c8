//! Taking a collection out of a data directory and into another: its definition, and what is kept
//! besides its documents. The documents go the way of all documents, as they are given.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use latentdb_index::{
    Analyzer, AttachedSae, CollectionHandle, CollectionRecord, Label, NewCollection, RecordKind,
    SavedSet, validate_name,
};
use serde::{Deserialize, Serialize};

use super::info::{CollectionInfo, Collections};
use super::plan::{check_dimension, check_n_latents, refuse_taken};
use crate::error::{Error, ErrorKind, Result, Within as _};
use crate::label::MAX_LABEL_BYTES;
use crate::service::analyses::{KeptPoints, MapRecord, check_name};
use crate::service::blocking;
use crate::service::core::{Address, Core};
use crate::service::families::FamilyRecord;
use crate::service::search::Preset;
use crate::service::spec::{EncoderRecord, SaeRecord, SaeSpec, to_json};

/// What is kept of a collection besides its documents.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExportedRecords {
    /// Its definition, as JSON.
    pub definition: String,
    /// Saved sets, presets, families, maps and labels, as JSON each.
    pub records: Vec<String>,
}

/// A collection to be created by the definition of another.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RestoreRequest {
    /// Its name.
    pub name: String,
    /// The definition, as JSON.
    pub definition: String,
    /// What the encoder goes by here.
    pub encoder: Option<String>,
    /// Folders of SAEs, by the SAEs' names.
    pub saes: BTreeMap<String, String>,
}

/// What a collection is made with.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Definition {
    dimension: Option<usize>,
    analyzer: Analyzer,
    encoder: Option<EncoderRecord>,
    saes: Vec<AttachedSae>,
}

/// A record that is kept of a collection.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
enum Kept {
    Set {
        set: SavedSet,
    },
    Preset {
        preset: Preset,
    },
    /// Families of the latents of an SAE, by its hash.
    Families {
        sae: String,
        families: Vec<FamilyRecord>,
    },
    /// A map of documents, and where they lie.
    Map {
        map: MapRecord,
        points: KeptPoints,
    },
    /// One version of the label of a latent.
    Label {
        sae: String,
        latent: u32,
        current: bool,
        label: Label,
    },
}

impl Collections {
    /// What is kept of a collection besides its documents; with `definition_only` no records.
    ///
    /// # Errors
    /// `NotFound` for the collection.
    pub async fn export_records(
        self: &Arc<Self>,
        collection: String,
        definition_only: bool,
    ) -> Result<ExportedRecords> {
        let service = self.clone();
        blocking(move || {
            let view = service.core.view(&Address::from(collection.as_str()))?;
            let record = &view.spec.record;
            let definition = Definition {
                dimension: record.dimension,
                analyzer: record.analyzer,
                encoder: view.spec.encoder.clone(),
                saes: record.saes.clone(),
            };
            let records = if definition_only {
                Vec::new()
            } else {
                kept(&view.handle, record, &view.spec.saes)?
            };
            Ok(ExportedRecords {
                definition: json(&definition)?,
                records: records.iter().map(json).collect::<Result<_>>()?,
            })
        })
        .await
    }

    /// Creates a collection by the definition of another, with the same models.
    ///
    /// # Errors
    /// `FailedPrecondition` naming a model that is not at hand; `InvalidArgument` for a definition
    /// that cannot be read; `AlreadyExists` for a name that is taken.
    pub async fn restore_collection(
        self: &Arc<Self>,
        request: RestoreRequest,
    ) -> Result<CollectionInfo> {
        let service = self.clone();
        blocking(move || {
            service.core.check_room()?;
            let name = request.name.clone();
            service
                .core
                .database
                .create(planned(&service.core, request)?)?;
            service.describe(&Address::from(name.as_str()), true)
        })
        .await
    }

    /// Writes records of another collection, in place of those of the same names; returns how many.
    ///
    /// # Errors
    /// `InvalidArgument` naming a record that cannot be read or kept; then none is written.
    pub async fn restore_records(
        self: &Arc<Self>,
        collection: String,
        records: Vec<String>,
    ) -> Result<u64> {
        let service = self.clone();
        blocking(move || {
            service.core.check_room()?;
            let handle = service.core.database.collection(&collection)?;
            let mut kept = Vec::with_capacity(records.len());
            for (at, text) in records.iter().enumerate() {
                let record = parse(text).and_then(|record: Kept| record.check().map(|()| record));
                kept.push(record.within(&format!("records[{at}]"))?);
            }
            let written = kept.len() as u64;
            restore(&handle, kept)?;
            service.labels.forget(&handle.record().id);
            Ok(written)
        })
        .await
    }
}

/// The records of a collection.
fn kept(
    handle: &CollectionHandle,
    record: &CollectionRecord,
    saes: &[SaeSpec],
) -> Result<Vec<Kept>> {
    let sets = handle.saved_sets()?.into_values();
    let mut kept: Vec<Kept> = sets.map(|set| Kept::Set { set }).collect();
    let presets: Vec<Preset> = handle.records(RecordKind::SteeringPreset)?;
    kept.extend(presets.into_iter().map(|preset| Kept::Preset { preset }));
    for map in handle.records::<MapRecord>(RecordKind::Map)? {
        if let Some(points) = handle.record_of(RecordKind::MapPoints, &map.name)? {
            kept.push(Kept::Map { map, points });
        }
    }
    // Labels of an SAE stay when it is detached.
    let catalog = handle.catalog();
    let mut hashes: BTreeSet<String> = saes.iter().map(|sae| sae.hash().to_owned()).collect();
    hashes.extend(catalog.labelled_saes(&record.id)?);
    for sae in hashes {
        if let Some(families) = handle.record_of(RecordKind::Families, &sae)? {
            let sae = sae.clone();
            kept.push(Kept::Families { sae, families });
        }
        let current: HashMap<u32, u32> = catalog
            .labels(&record.id, &sae)?
            .into_iter()
            .map(|(latent, label)| (latent, label.version))
            .collect();
        for (latent, label) in catalog.label_versions(&record.id, &sae)? {
            kept.push(Kept::Label {
                sae: sae.clone(),
                latent,
                current: current.get(&latent) == Some(&label.version),
                label,
            });
        }
    }
    Ok(kept)
}

impl Kept {
    fn check(&self) -> Result<()> {
        match self {
            Self::Set { set } => validate_name(&set.name).within("set"),
            Self::Preset { preset } => validate_name(&preset.name).within("preset"),
            Self::Families { sae, .. } => validate_name(sae).within("sae"),
            Self::Map { map, points } => {
                check_name(&map.name).within("map")?;
                points.read().map(drop).within("points")
            }
            Self::Label { sae, label, .. } => {
                validate_name(sae).within("sae")?;
                let bytes = label.text.len();
                if (1..=MAX_LABEL_BYTES).contains(&bytes) && label.version > 0 {
                    return Ok(());
                }
                Err(Error::invalid(
                    "label",
                    format!(
                        "has a text of {bytes} bytes and version {}; 1 to {MAX_LABEL_BYTES} bytes \
                         and versions from 1 are accepted",
                        label.version
                    ),
                ))
            }
        }
    }
}

fn restore(handle: &CollectionHandle, records: Vec<Kept>) -> Result<()> {
    let mut labels: BTreeMap<String, Vec<(u32, bool, Label)>> = BTreeMap::new();
    for record in records {
        match record {
            Kept::Set { set } => handle.restore_set(&set)?,
            Kept::Preset { preset } => {
                handle.put_record(RecordKind::SteeringPreset, &preset.name, &preset)?;
            }
            Kept::Families { sae, families } => {
                handle.put_record(RecordKind::Families, &sae, &families)?;
            }
            Kept::Map { map, points } => {
                handle.put_record(RecordKind::MapPoints, &map.name, &points)?;
                handle.put_record(RecordKind::Map, &map.name, &map)?;
            }
            Kept::Label {
                sae,
                latent,
                current,
                label,
            } => labels
                .entry(sae)
                .or_default()
                .push((latent, current, label)),
        }
    }
    let id = handle.record().id.clone();
    for (sae, labels) in labels {
        let labels = labels.iter();
        let labels = labels.map(|(latent, current, label)| (*latent, *current, label));
        handle.catalog().restore_labels(&id, &sae, labels)?;
    }
    Ok(())
}

/// The new collection that a definition describes; opens its models.
fn planned(core: &Core, request: RestoreRequest) -> Result<NewCollection> {
    refuse_taken(core, &request.name)?;
    let mut definition: Definition = parse(&request.definition).within("definition")?;
    if let Some(dimension) = definition.dimension {
        check_dimension(dimension).within("definition")?;
    }
    if let Some(encoder) = &mut definition.encoder {
        if let Some(name) = request.encoder {
            encoder.identity.model.clone_from(&name);
            encoder.model = name;
        }
        core.models.recorded_encoder(encoder).map_err(|error| {
            Error::precondition(format!(
                "the encoder {:?}, with weights {}, is not at hand; say what it goes by here \
                 (encoder, or `--encoder NAME` or a folder)",
                encoder.model, encoder.identity.weights_sha256
            ))
            .with_source(error)
        })?;
    } else if request.encoder.is_some() {
        return Err(Error::invalid(
            "encoder",
            "is given, and the collection has none",
        ));
    }
    let known: BTreeSet<&str> = definition
        .saes
        .iter()
        .map(|sae| sae.name.as_str())
        .collect();
    if let Some(name) = request
        .saes
        .keys()
        .find(|name| !known.contains(name.as_str()))
    {
        return Err(Error::invalid(
            "saes",
            format!("names the SAE {name:?}, which the collection has not"),
        ));
    }
    if known.len() < definition.saes.len() {
        return Err(Error::invalid("definition", "has two SAEs of one name"));
    }
    for attached in &definition.saes {
        check_sae(core, attached, request.saes.get(&attached.name))?;
    }
    Ok(NewCollection {
        name: request.name,
        dimension: definition.dimension,
        encoder: definition.encoder.as_ref().map(to_json).transpose()?,
        saes: definition.saes,
        analyzer: definition.analyzer,
    })
}

/// Checks that an SAE of a definition is at hand, with its reader.
fn check_sae(core: &Core, attached: &AttachedSae, folder: Option<&String>) -> Result<()> {
    if !attached.name.is_empty() {
        validate_name(&attached.name).within("definition")?;
    }
    check_n_latents(attached.n_latents).within("definition")?;
    let spec = SaeSpec::parse(attached).map_err(|error| {
        Error::invalid("definition", "has an SAE that cannot be read").with_source(error)
    })?;
    let Some(record) = &spec.sae else {
        return Ok(());
    };
    let sae = match folder {
        Some(folder) => {
            let sae = core.models.named_sae(folder).within("saes")?;
            if sae.hash() != record.sha256 {
                return Err(Error::precondition(format!(
                    "the SAE in {folder} has the hash {}; {} is {}",
                    sae.hash(),
                    described(attached),
                    record.sha256
                )));
            }
            sae
        }
        None if core.models.has_sae(&record.sha256) => core.models.sae(&record.sha256)?,
        None => return Err(missing(attached, record)),
    };
    if sae.n_latents() != attached.n_latents {
        return Err(Error::invalid(
            "definition",
            format!(
                "says that {} has {} latents; it has {}",
                described(attached),
                attached.n_latents,
                sae.n_latents()
            ),
        ));
    }
    let Some(reader) = &spec.reader else {
        return Ok(());
    };
    core.readers.of(reader).map(drop).map_err(|error| {
        Error::precondition(format!(
            "the reader {:?} of {} is not at hand",
            reader.reading.model,
            described(attached)
        ))
        .with_source(error)
    })
}

fn missing(attached: &AttachedSae, record: &SaeRecord) -> Error {
    let flag = if attached.name.is_empty() {
        "--sae FOLDER".to_owned()
    } else {
        format!("--sae {}=FOLDER", attached.name)
    };
    Error::precondition(format!(
        "{}, {}, is not at hand: name a folder with it (saes, or `{flag}`); the server that the \
         collection comes from has it as saes/{} in its data directory",
        described(attached),
        record.sha256,
        record.sha256
    ))
}

fn described(attached: &AttachedSae) -> String {
    if attached.name.is_empty() {
        "the SAE without a name".to_owned()
    } else {
        format!("the SAE {:?}", attached.name)
    }
}

fn json(value: &impl Serialize) -> Result<String> {
    serde_json::to_string(value).map_err(|error| Error::internal("a record").with_source(error))
}

fn parse<T: for<'a> Deserialize<'a>>(text: &str) -> Result<T> {
    serde_json::from_str(text).map_err(|error| {
        Error::new(
            ErrorKind::InvalidArgument,
            "is not what ExportRecords of this version gives",
        )
        .with_source(error)
    })
}
