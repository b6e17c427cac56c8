//! CollectionService.

use std::sync::Arc;

use latentdb_index::{Analyzer, SetContent, Snapshot, TextLanguage};
use latentdb_proto::v1;
use latentdb_proto::v1::collection_service_server::CollectionService;

use super::access::{check_names_files, sees};
use super::address::{address, changed, new_name};
use super::calls::calls;
use super::paths::without_places;
use super::reader::{reader_request, wire_reader};
use super::status::required;
use super::streams::{Answers, Progressing, stream};
use super::types::{filter, non_empty, non_zero, timestamp};
use crate::encoder::Precision;
use crate::error::{Result, Within as _};
use crate::sae::{RECURRING, Recurrence};
use crate::service::{
    AttachRequest, AttachedSae, CollectionInfo, Collections, CreateCollection, EncoderRecord,
    EncoderSettings, FitInfo, Gate, ReaderRequest, SaeRecord, SetInfo,
};

/// Serves collections and their saved sets.
pub(super) struct CollectionAdapter(pub Arc<Collections>);

impl Progressing for v1::AttachSaeProgress {
    fn progress(done: u64, total: u64) -> Self {
        Self {
            done,
            total,
            collection: None,
        }
    }
}

fn changed_collection(info: CollectionInfo) -> Vec<v1::AttachSaeProgress> {
    let snapshot = info.snapshot.as_ref();
    let documents = snapshot.map_or(0, |snapshot| snapshot.n_docs());
    vec![v1::AttachSaeProgress {
        done: documents,
        total: documents,
        collection: Some(wire_collection(info)),
    }]
}

calls! {
    CollectionService of CollectionAdapter {
        create_collection(v1::CreateCollectionRequest) -> v1::Collection;
        get_collection(v1::GetCollectionRequest) -> v1::Collection;
        list_collections(v1::ListCollectionsRequest) -> v1::ListCollectionsResponse;
        set_alias(v1::SetAliasRequest) -> v1::SetAliasResponse;
        drop_alias(v1::DropAliasRequest) -> v1::DropAliasResponse;
        drop_collection(v1::DropCollectionRequest) -> v1::DropCollectionResponse;
        save_set(v1::SaveSetRequest) -> v1::SavedSet;
        list_sets(v1::ListSetsRequest) -> v1::ListSetsResponse;
        drop_set(v1::DropSetRequest) -> v1::DropSetResponse;
        restore_collection(v1::RestoreCollectionRequest) -> v1::Collection;
        restore_records(v1::RestoreRecordsRequest) -> v1::RestoreRecordsResponse;
    }
    streams {
        attach_sae(v1::AttachSaeRequest) -> AttachSaeStream = v1::AttachSaeProgress;
        detach_sae(v1::DetachSaeRequest) -> DetachSaeStream = v1::AttachSaeProgress;
        export_records(v1::ExportRecordsRequest) -> ExportRecordsStream = v1::ExportRecordsResponse;
    }
}

/// Refuses models and SAEs by their places on the server to keys that may not name them. A pinned model
/// and an SAE by its hash are no places.
pub(super) fn check_models(names: &[&str], reader: Option<&v1::Reader>) -> Result<()> {
    let is_hash = |name: &str| name.len() == 64 && name.bytes().all(|c| c.is_ascii_hexdigit());
    let is_plain = |name: &str| {
        name.is_empty() || is_hash(name) || name == "all-MiniLM-L6-v2" || name == "smollm2"
    };
    let read = reader.map(|reader| reader.model.as_str());
    match names.iter().copied().chain(read).all(is_plain) {
        true => Ok(()),
        false => check_names_files("naming a model or an SAE by its place"),
    }
}

impl CollectionAdapter {
    async fn create_collection(&self, wire: v1::CreateCollectionRequest) -> Result<v1::Collection> {
        check_models(&[&wire.encoder, &wire.sae], wire.reader.as_ref())?;
        let (reader, precision) = reader_of(wire.reader, wire.precision)?;
        let analyzer = wire.analyzer.map(analyzer).transpose().within("analyzer")?;
        let created = self.0.create_collection(CreateCollection {
            name: new_name(wire.name)?,
            encoder: non_empty(wire.encoder),
            dimension: non_zero(wire.dimension),
            sae: non_empty(wire.sae),
            n_latents: non_zero(wire.n_latents),
            gate: wire.gate.map(gate).unwrap_or_default(),
            reader,
            precision,
            encoder_settings: wire
                .encoder_settings
                .map(encoder_settings)
                .unwrap_or_default(),
            states: non_empty(wire.states),
            analyzer: analyzer.unwrap_or_default(),
        });
        Ok(wire_collection(created.await?))
    }

    async fn get_collection(&self, wire: v1::GetCollectionRequest) -> Result<v1::Collection> {
        let info = self.0.collection_info(address(wire.name)?).await?;
        Ok(wire_collection(info))
    }

    async fn list_collections(
        &self,
        _request: v1::ListCollectionsRequest,
    ) -> Result<v1::ListCollectionsResponse> {
        let mut names = self.0.collection_names();
        names.retain(|name| sees(name));
        let infos = self.0.list_collections(names).await?;
        Ok(v1::ListCollectionsResponse {
            collections: infos.into_iter().map(wire_collection).collect(),
        })
    }

    async fn set_alias(&self, wire: v1::SetAliasRequest) -> Result<v1::SetAliasResponse> {
        let alias = new_name(wire.alias)?;
        let collection = changed(wire.collection)?;
        let previous = self.0.set_alias(alias, collection).await?;
        Ok(v1::SetAliasResponse {
            previous: previous.unwrap_or_default(),
        })
    }

    async fn drop_alias(&self, wire: v1::DropAliasRequest) -> Result<v1::DropAliasResponse> {
        let collection = self.0.drop_alias(new_name(wire.alias)?).await?;
        Ok(v1::DropAliasResponse { collection })
    }

    async fn drop_collection(
        &self,
        wire: v1::DropCollectionRequest,
    ) -> Result<v1::DropCollectionResponse> {
        self.0.drop_collection(changed(wire.name)?).await?;
        Ok(v1::DropCollectionResponse {})
    }

    async fn attach_sae(
        &self,
        wire: v1::AttachSaeRequest,
    ) -> Result<Answers<v1::AttachSaeProgress>> {
        check_models(&[&wire.sae], wire.reader.as_ref())?;
        let (reader, _) = reader_of(wire.reader, wire.precision)?;
        let request = AttachRequest {
            collection: changed(wire.collection)?,
            sae: wire.sae,
            name: non_empty(wire.name),
            gate: wire.gate.map(gate),
            reader,
            states: non_empty(wire.states),
        };
        let service = self.0.clone();
        let work = |progress| async move { service.attach_sae(request, progress).await };
        Ok(stream(work, changed_collection))
    }

    async fn detach_sae(
        &self,
        wire: v1::DetachSaeRequest,
    ) -> Result<Answers<v1::AttachSaeProgress>> {
        let collection = changed(wire.collection)?;
        let service = self.0.clone();
        let work =
            |progress| async move { service.detach_sae(collection, wire.name, progress).await };
        Ok(stream(work, changed_collection))
    }

    async fn save_set(&self, wire: v1::SaveSetRequest) -> Result<v1::SavedSet> {
        let described = required(wire.filter, "filter")?;
        let described = filter(Some(described))?;
        let (address, frozen) = (address(wire.collection)?, wire.frozen);
        let saved = self.0.save_set(address, wire.name, described, frozen);
        Ok(wire_set(saved.await?))
    }

    async fn list_sets(&self, wire: v1::ListSetsRequest) -> Result<v1::ListSetsResponse> {
        let sets = self.0.list_sets(address(wire.collection)?).await?;
        Ok(v1::ListSetsResponse {
            sets: sets.into_iter().map(wire_set).collect(),
        })
    }

    async fn drop_set(&self, wire: v1::DropSetRequest) -> Result<v1::DropSetResponse> {
        let address = address(wire.collection)?;
        self.0.drop_set(address, wire.name).await?;
        Ok(v1::DropSetResponse {})
    }
}

pub(super) fn wire_collection(info: CollectionInfo) -> v1::Collection {
    let snapshot = info.snapshot.as_ref();
    let count = |of: fn(&Snapshot) -> u64| snapshot.map_or(0, |snapshot| of(snapshot));
    v1::Collection {
        name: info.name,
        created: Some(timestamp(info.created)),
        dimension: info.dimension.unwrap_or(0) as u32,
        encoder: info.encoder.map(wire_encoder),
        sae: info.sae.map(wire_sae),
        n_latents: info.n_latents.unwrap_or(0) as u32,
        documents: count(Snapshot::n_docs),
        segments: count(|snapshot| snapshot.n_segments() as u64) as u32,
        vectors: count(|snapshot| snapshot.graph_coverage().0),
        vectors_in_graph: count(|snapshot| snapshot.graph_coverage().1),
        graph_progress: info.graphs.share,
        graph_failure: without_places(info.graphs.failure.unwrap_or_default()),
        cut_texts: info.cut_texts,
        disk_bytes: info.disk_bytes,
        sequence: count(Snapshot::sequence),
        damage: without_places(info.damage.unwrap_or_default()),
        aliases: info.aliases,
        fit: info.fit.map(wire_fit),
        reader: info.reader.map(wire_reader),
        saes: info.saes.into_iter().map(wire_attached).collect(),
        attributes: info
            .attributes
            .into_iter()
            .map(|(name, kinds)| v1::AttributeInfo {
                name,
                kinds: kinds.into_iter().map(str::to_owned).collect(),
            })
            .collect(),
        analyzer: Some(wire_analyzer(info.analyzer)),
    }
}

fn analyzer(wire: v1::Analyzer) -> Result<Analyzer> {
    let language = |name: String, field: &str| {
        let parsed = non_empty(name).map(|name| name.parse::<TextLanguage>());
        parsed.transpose().within(field)
    };
    Ok(Analyzer {
        stemming: language(wire.stemming, "stemming")?,
        stop_words: language(wire.stop_words, "stop_words")?,
        fold_diacritics: wire.fold_diacritics,
    })
}

fn wire_analyzer(analyzer: Analyzer) -> v1::Analyzer {
    let name = |language: Option<TextLanguage>| language.map(|language| language.to_string());
    v1::Analyzer {
        stemming: name(analyzer.stemming).unwrap_or_default(),
        stop_words: name(analyzer.stop_words).unwrap_or_default(),
        fold_diacritics: analyzer.fold_diacritics,
    }
}

/// The reader that is asked for, and what products are computed on.
fn reader_of(
    reader: Option<v1::Reader>,
    precision: String,
) -> Result<(Option<ReaderRequest>, Option<Precision>)> {
    let precision = non_empty(precision)
        .map(|name| Precision::parse(&name))
        .transpose()?;
    let reader = reader
        .map(|reader| reader_request(reader, precision))
        .transpose()
        .within("reader")?;
    Ok((reader, precision))
}

fn wire_attached(attached: AttachedSae) -> v1::AttachedSae {
    v1::AttachedSae {
        name: attached.name,
        sae: Some(wire_sae(attached.sae)),
        reader: attached.reader.map(wire_reader),
        fit: attached.fit.map(wire_fit),
        latents_bytes: attached.latents_bytes,
        weights_bytes: attached.weights_bytes,
    }
}

/// How an encoder is used, but for its precision.
pub(super) fn encoder_settings(wire: v1::EncoderSettings) -> EncoderSettings {
    EncoderSettings {
        precision: Precision::default(),
        query_prompt: wire.query_prompt,
        document_prompt: wire.document_prompt,
        dimensions: non_zero(wire.dimensions),
        max_tokens: non_zero(wire.max_tokens),
    }
}

fn wire_encoder(record: EncoderRecord) -> v1::EncoderInfo {
    v1::EncoderInfo {
        model: record.model,
        sha256: record.identity.weights_sha256,
        dimension: record.dimension as u32,
        max_tokens: record.identity.max_tokens as u32,
        pooling: record.identity.pooling.name().to_owned(),
        precision: record.identity.precision.name().to_owned(),
        query_prompt: record.identity.prompts.query,
        document_prompt: record.identity.prompts.document,
    }
}

pub(crate) fn wire_recurrence(found: &Recurrence) -> v1::SaeRecurrence {
    v1::SaeRecurrence {
        seeds: found.seeds.clone(),
        mean: found.mean().into(),
        recurring: found.at_least(RECURRING) as u64,
    }
}

pub(super) fn wire_sae(mut record: SaeRecord) -> v1::SaeInfo {
    // A number per latent is told with the latents.
    let recurrence = record.training.recurrence.take();
    v1::SaeInfo {
        recurrence: recurrence.as_ref().map(wire_recurrence),
        sha256: record.sha256,
        d_in: record.d_in as u32,
        n_latents: record.n_latents as u32,
        k: record.k.unwrap_or(0) as u32,
        architecture: record.architecture,
        training: serde_json::to_string(&record.training).unwrap_or_default(),
        normalisation: record.normalisation.name().to_owned(),
        level: record.level.name().to_owned(),
    }
}

fn gate(wire: v1::FitGate) -> Gate {
    Gate {
        limit: (wire.fvu_limit != 0.0).then_some(wire.fvu_limit),
        warn: wire.warn,
    }
}

fn wire_fit(fit: FitInfo) -> v1::Fit {
    v1::Fit {
        vectors: fit.vectors as u64,
        fvu: fit.fvu,
        own_fvu: fit.own_fvu,
        l0: fit.l0,
        own_l0: fit.own_l0,
        limit: fit.limit,
        warn: fit.warn,
    }
}

fn wire_set(info: SetInfo) -> v1::SavedSet {
    v1::SavedSet {
        name: info.set.name,
        created: Some(timestamp(info.set.created)),
        frozen: matches!(info.set.content, SetContent::Frozen(_)),
        error: match &info.documents {
            Ok(_) => String::new(),
            Err(error) => error.to_string(),
        },
        documents: info.documents.ok(),
        warnings: info.warnings,
    }
}
