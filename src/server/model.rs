//! ModelService.

use std::sync::Arc;

use latentdb_proto::v1;
use latentdb_proto::v1::model_service_server::ModelService;
use tokio::sync::mpsc;
use tonic::Streaming;

use super::access::check_names_files;
use super::address::address;
use super::calls::calls;
use super::collection::{encoder_settings, wire_sae};
use super::status::{entry, required, status};
use super::streams::{Answers, answers};
use super::types::{activations, non_empty, non_zero, wire_activations};
use crate::error::{Error, Result};
use crate::progress::Progress;
use crate::reading::Role;
use crate::sae::{Objective, Quality, Sparsity, TrainOptions, TrainProgress};
use crate::service::{TrainRequest, Training, TrainingStage, blocking};

/// Serves encoders and SAEs.
pub(super) struct ModelAdapter(pub Arc<Training>);

calls! {
    ModelService of ModelAdapter {
        encode_texts(v1::EncodeTextsRequest) -> v1::EncodeTextsResponse;
        encode_vectors(v1::EncodeVectorsRequest) -> v1::EncodeVectorsResponse;
        decode_latents(v1::DecodeLatentsRequest) -> v1::DecodeLatentsResponse;
        evaluate_sae(v1::EvaluateSaeRequest) -> v1::EvaluateSaeResponse;
        get_sae(v1::GetSaeRequest) -> v1::SaeInfo;
        upload_sae(Streaming<v1::UploadSaeRequest>) -> v1::SaeInfo;
    }
    streams {
        train_sae(v1::TrainSaeRequest) -> TrainSaeStream = v1::TrainSaeProgress;
        download_sae(v1::DownloadSaeRequest) -> DownloadSaeStream = v1::DownloadSaeResponse;
    }
}

impl ModelAdapter {
    async fn encode_texts(&self, wire: v1::EncodeTextsRequest) -> Result<v1::EncodeTextsResponse> {
        use v1::encode_texts_request::With;
        let (collection, model) = match required(wire.with, "with")? {
            With::Collection(name) => (Some(address(name)?), None),
            With::Model(model) => {
                check_names_files("naming a model")?;
                (None, Some(model))
            }
        };
        if wire.settings.is_some() && model.is_none() {
            return Err(Error::invalid(
                "settings",
                "say how a model by name is used; a collection's encoder is used as it was made",
            ));
        }
        let role = match entry(wire.role, "role")? {
            v1::TextRole::Query => Role::Query,
            v1::TextRole::Unspecified | v1::TextRole::Document => Role::Document,
        };
        let settings = wire.settings.map(encoder_settings).unwrap_or_default();
        let vectors = self
            .0
            .encode_texts(collection, model, settings, wire.texts, role)
            .await?;
        let vectors = vectors.into_iter().map(wire_vector).collect();
        Ok(v1::EncodeTextsResponse { vectors })
    }

    async fn encode_vectors(
        &self,
        wire: v1::EncodeVectorsRequest,
    ) -> Result<v1::EncodeVectorsResponse> {
        let vectors = wire.vectors.into_iter().map(|vector| vector.values);
        let address = address(wire.collection)?;
        let rows = self.0.encode_vectors(&address, vectors.collect()).await?;
        let rows = rows.iter().map(|row| v1::Activations {
            values: wire_activations(row),
        });
        Ok(v1::EncodeVectorsResponse {
            rows: rows.collect(),
        })
    }

    async fn decode_latents(
        &self,
        wire: v1::DecodeLatentsRequest,
    ) -> Result<v1::DecodeLatentsResponse> {
        let rows = wire.rows.into_iter().map(activations).collect();
        let address = address(wire.collection)?;
        let vectors = self.0.decode_latents(&address, rows).await?;
        let vectors = vectors.into_iter().map(wire_vector).collect();
        Ok(v1::DecodeLatentsResponse { vectors })
    }

    async fn train_sae(&self, wire: v1::TrainSaeRequest) -> Result<Answers<v1::TrainSaeProgress>> {
        let train = TrainRequest {
            options: train_options(&wire),
            seeds: wire.seeds as usize,
            query_field: non_empty(wire.query_field.clone()),
            address: address(wire.collection)?,
        };
        let service = self.0.clone();
        Ok(answers(16, |send| async move {
            let updates = send.clone();
            let progress = Arc::new(Progress::default());
            let training = progress.clone();
            let watch = move |now: TrainingStage| {
                // A receiver that is gone is a client that gave up; a full one only misses a
                // number.
                if let Err(mpsc::error::TrySendError::Closed(_)) =
                    updates.try_send(Ok(wire_stage(now)))
                {
                    training.stop();
                }
            };
            let end = service.train_sae(train, progress, watch).await;
            let end = end.map_err(status)?;
            let last = v1::TrainSaeProgress {
                sae: Some(wire_sae(end.sae)),
                quality: Some(wire_quality(&end.quality)),
                ..v1::TrainSaeProgress::default()
            };
            // Nobody who listens is as good.
            let _ = send.send(Ok(last)).await;
            Ok(())
        }))
    }

    async fn evaluate_sae(&self, wire: v1::EvaluateSaeRequest) -> Result<v1::EvaluateSaeResponse> {
        let address = address(wire.collection)?;
        if !wire.sae.is_empty() {
            check_names_files("naming an SAE")?;
        }
        let (sae, quality) = self.0.evaluate_sae(&address, non_empty(wire.sae)).await?;
        Ok(v1::EvaluateSaeResponse {
            sae: Some(wire_sae(sae)),
            quality: Some(wire_quality(&quality)),
        })
    }

    async fn upload_sae(&self, mut wire: Streaming<v1::UploadSaeRequest>) -> Result<v1::SaeInfo> {
        let (send, receive) = mpsc::channel(4);
        let pieces = async move {
            // A stream that breaks off sends no end; a receiver that is gone has answered.
            while let Ok(piece) = wire.message().await {
                let is_last = piece.is_none();
                let piece = piece.map(|piece| (piece.file, piece.content));
                if send.send(piece).await.is_err() || is_last {
                    break;
                }
            }
        };
        let (sae, ()) = tokio::join!(self.0.upload_sae(receive), pieces);
        Ok(wire_sae(sae?))
    }

    async fn download_sae(
        &self,
        wire: v1::DownloadSaeRequest,
    ) -> Result<Answers<v1::DownloadSaeResponse>> {
        let download = self.0.download_sae(wire.sae).await?;
        // Read as the client takes it.
        let pieces = futures::stream::try_unfold(download, |mut download| async move {
            let read = blocking(move || Ok((download.next_piece()?, download)));
            let (piece, download) = read.await.map_err(status)?;
            Ok(piece.map(|(file, content)| (v1::DownloadSaeResponse { file, content }, download)))
        });
        Ok(Box::pin(pieces))
    }

    async fn get_sae(&self, wire: v1::GetSaeRequest) -> Result<v1::SaeInfo> {
        use v1::get_sae_request::Of;
        let (path, collection) = match required(wire.of, "of")? {
            Of::Path(path) => {
                check_names_files("naming an SAE")?;
                (Some(path), None)
            }
            Of::Collection(name) => (None, Some(address(name)?)),
        };
        Ok(wire_sae(self.0.sae_info(path, collection).await?))
    }
}

fn wire_vector(values: Vec<f32>) -> v1::Vector {
    v1::Vector { values }
}

/// How an SAE is to be trained; what a request leaves at 0 is chosen by the vectors.
pub(crate) fn train_options(wire: &v1::TrainSaeRequest) -> TrainOptions {
    let lengths = wire.prefixes.iter();
    TrainOptions {
        n_latents: non_zero(wire.n_latents),
        k: non_zero(wire.k),
        epochs: non_zero(wire.epochs),
        sparsity: if wire.batch_top_k {
            Sparsity::BatchTopK
        } else {
            Sparsity::TopK
        },
        matryoshka: wire.matryoshka,
        prefixes: lengths.map(|length| *length as usize).collect(),
        batch: non_zero(wire.batch_size),
        learning_rate: wire.learning_rate,
        warm_up: wire.warm_up,
        decay: wire.decay,
        held_out: wire.held_out,
        patience: wire.patience.map(|epochs| epochs as usize),
        objective: match wire.objective() {
            v1::TrainingObjective::Reconstruction => Objective::Reconstruction,
            v1::TrainingObjective::Retrieval => Objective::Retrieval,
        },
        contrast: wire.contrast,
        seed: wire.seed,
        ..TrainOptions::default()
    }
}

fn wire_stage(stage: TrainingStage) -> v1::TrainSaeProgress {
    match stage {
        TrainingStage::Queries { encoded, of } => v1::TrainSaeProgress {
            queries_encoded: encoded as u64,
            queries: of as u64,
            ..v1::TrainSaeProgress::default()
        },
        TrainingStage::Steps(now) => wire_progress(now),
    }
}

/// Where a training stands, as the wire has it.
pub(crate) fn wire_progress(progress: &TrainProgress) -> v1::TrainSaeProgress {
    v1::TrainSaeProgress {
        step: progress.step as u64,
        steps: progress.steps as u64,
        examples_per_second: progress.examples_per_second,
        fvu: progress.fvu,
        dead: progress.dead_share,
        sae: None,
        quality: None,
        loss: progress.loss,
        l0: progress.l0,
        epoch: progress.epoch as u64,
        held_out_fvu: progress.held_out_fvu,
        queries_encoded: 0,
        queries: 0,
    }
}

/// Quality as the wire has it.
pub(crate) fn wire_quality(quality: &Quality) -> v1::SaeQuality {
    v1::SaeQuality {
        rows: quality.rows as u64,
        fvu: quality.fvu,
        l0: quality.l0,
        dead: quality.dead_share,
        cosine: quality.cosine,
        density: quality
            .density
            .iter()
            .map(|bin| v1::DensityBin {
                lower: bin.from,
                latents: bin.latents as u64,
            })
            .collect(),
        encoder_decoder_cosine: Some(v1::Spread {
            mean: quality.encoder_decoder_cosine.mean,
            p10: quality.encoder_decoder_cosine.p10,
            p50: quality.encoder_decoder_cosine.p50,
            p90: quality.encoder_decoder_cosine.p90,
        }),
        recall: quality.recall.map(|recall| v1::SaeRecall {
            queries: recall.queries as u64,
            rows: recall.rows as u64,
            k: recall.k as u64,
            recall: recall.recall,
        }),
    }
}
