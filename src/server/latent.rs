//! LatentService.

use std::pin::Pin;
use std::sync::Arc;

use futures::Stream;
use latentdb_index::{Document, Label, LabelScore};
use latentdb_proto::v1;
use latentdb_proto::v1::latent_service_server::LatentService;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status};

use super::address::address;
use super::family::{find_families, wire_families};
use super::reader::span_of;
use super::splitting::{split_request, wire_split};
use super::status::status;
use super::streams::cut;
use super::types::{count_or, micros, non_empty, non_zero, timestamp, wire_document, wire_value};
use crate::error::{Error, Within as _};
use crate::progress::Progress;
use crate::service::{
    ChatUse, DEFAULT_DOCUMENTS, JudgeChoice, LabelProgress, LabelRequest, LabelSearch,
    LabellerChoice, Labels, LatentOrder, LatentPage, LatentStatistics, NewLabel, PageRequest,
    Related, ScoreProgress, ScoreRequest,
};

/// Most entries of a list on a latent's page.
const MAX_LISTED: usize = 100;
/// Most labels that one search returns.
const MAX_FOUND: usize = 10_000;

/// A stream of answers.
type Answers<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

/// Serves latents and their labels.
pub(super) struct LatentAdapter(pub Arc<Labels>);

#[tonic::async_trait]
impl LatentService for LatentAdapter {
    async fn list_latents(
        &self,
        request: Request<v1::ListLatentsRequest>,
    ) -> Result<Response<v1::ListLatentsResponse>, Status> {
        let wire = request.into_inner();
        let listed = async {
            let order = match v1::LatentOrder::try_from(wire.order) {
                Ok(v1::LatentOrder::Documents) => LatentOrder::Documents,
                Ok(v1::LatentOrder::Number) => LatentOrder::Number,
                Err(_) => {
                    let message = format!("is {}, which is no order", wire.order);
                    return Err(Error::invalid("order", message));
                }
            };
            let limit = count_or(wire.limit, 100, 100_000, "limit")?;
            let (query, offset) = (&wire.label_query, wire.offset as usize);
            self.0
                .list_latents(&address(wire.collection)?, query, order, limit, offset)
                .await
        };
        let (latents, total) = listed.await.map_err(status)?;
        Ok(Response::new(v1::ListLatentsResponse {
            latents: latents.into_iter().map(wire_statistics).collect(),
            total,
        }))
    }

    async fn get_latent(
        &self,
        request: Request<v1::GetLatentRequest>,
    ) -> Result<Response<v1::Latent>, Status> {
        let wire = request.into_inner();
        let page = async {
            let request = PageRequest {
                documents: count_or(wire.documents, 5, MAX_LISTED, "documents")?,
                random_documents: count_or(
                    wire.random_documents,
                    0,
                    MAX_LISTED,
                    "random_documents",
                )?,
                seed: wire.seed,
                related: count_or(wire.related, 0, MAX_LISTED, "related")?,
            };
            self.0
                .latent(&address(wire.collection)?, wire.latent, request)
                .await
        };
        Ok(Response::new(wire_page(page.await.map_err(status)?)))
    }

    async fn set_labels(
        &self,
        request: Request<v1::SetLabelsRequest>,
    ) -> Result<Response<v1::SetLabelsResponse>, Status> {
        let wire = request.into_inner();
        let written = async {
            let entries = wire.labels.into_iter().enumerate();
            let labels =
                entries.map(|(at, entry)| new_label(entry).within(&format!("labels[{at}]")));
            let labels = labels.collect::<crate::error::Result<_>>()?;
            let sae = non_empty(wire.sae_sha256);
            self.0
                .set_labels(&address(wire.collection)?, labels, sae)
                .await
        };
        let written = written.await.map_err(status)?;
        Ok(Response::new(v1::SetLabelsResponse {
            written: written as u32,
        }))
    }

    async fn use_label(
        &self,
        request: Request<v1::UseLabelRequest>,
    ) -> Result<Response<v1::Label>, Status> {
        let wire = request.into_inner();
        let address = address(wire.collection).map_err(status)?;
        let label = self
            .0
            .use_label(&address, wire.latent, wire.version)
            .await
            .map_err(status)?;
        Ok(Response::new(wire_label(label)))
    }

    type ListLabelsStream = Answers<v1::ListLabelsResponse>;

    async fn list_labels(
        &self,
        request: Request<v1::ListLabelsRequest>,
    ) -> Result<Response<Self::ListLabelsStream>, Status> {
        let wire = request.into_inner();
        let address = address(wire.collection).map_err(status)?;
        let labels = self
            .0
            .list_labels(&address, wire.all_versions)
            .await
            .map_err(status)?;
        let lists = cut(labels.into_iter().map(wire_latent_label)).into_iter();
        let messages: Vec<_> = lists
            .map(|labels| Ok(v1::ListLabelsResponse { labels }))
            .collect();
        Ok(Response::new(Box::pin(futures::stream::iter(messages))))
    }

    async fn search_labels(
        &self,
        request: Request<v1::SearchLabelsRequest>,
    ) -> Result<Response<v1::SearchLabelsResponse>, Status> {
        let wire = request.into_inner();
        let found = async {
            let how = match v1::LabelSearchMode::try_from(wire.mode) {
                Ok(v1::LabelSearchMode::Default) => LabelSearch::Any,
                Ok(v1::LabelSearchMode::Meaning) => LabelSearch::Meaning,
                Ok(v1::LabelSearchMode::Words) => LabelSearch::Words,
                Err(_) => return Err(unknown("mode", wire.mode, "mode")),
            };
            let limit = count_or(wire.limit, 10, MAX_FOUND, "limit")?;
            self.0
                .search_labels(&address(wire.collection)?, &wire.text, how, limit)
                .await
        };
        let found = found.await.map_err(status)?;
        Ok(Response::new(v1::SearchLabelsResponse {
            labels: found
                .into_iter()
                .map(|found| v1::FoundLabel {
                    latent: found.latent,
                    label: Some(wire_label(found.label)),
                    score: found.score as f32,
                    documents: found.documents,
                })
                .collect(),
        }))
    }

    async fn find_families(
        &self,
        request: Request<v1::FindFamiliesRequest>,
    ) -> Result<Response<v1::FamiliesResponse>, Status> {
        let wire = request.into_inner();
        let found = async {
            let find = find_families(&wire)?;
            self.0.find_families(&address(wire.collection)?, find).await
        };
        Ok(Response::new(wire_families(found.await.map_err(status)?)))
    }

    async fn list_families(
        &self,
        request: Request<v1::ListFamiliesRequest>,
    ) -> Result<Response<v1::FamiliesResponse>, Status> {
        let address = address(request.into_inner().collection).map_err(status)?;
        let found = self.0.list_families(&address).await;
        Ok(Response::new(wire_families(found.map_err(status)?)))
    }

    async fn split_latents(
        &self,
        request: Request<v1::SplitLatentsRequest>,
    ) -> Result<Response<v1::SplitLatentsResponse>, Status> {
        let request = split_request(request.into_inner()).map_err(status)?;
        let found = self.0.split_latents(request).await.map_err(status)?;
        Ok(Response::new(wire_split(found)))
    }

    type LabelLatentsStream = Answers<v1::LabelLatentsProgress>;

    async fn label_latents(
        &self,
        request: Request<v1::LabelLatentsRequest>,
    ) -> Result<Response<Self::LabelLatentsStream>, Status> {
        let request = label_request(request.into_inner()).map_err(status)?;
        let (send, receive) = mpsc::channel(16);
        let service = self.0.clone();
        tokio::spawn(async move {
            let progress = Arc::new(Progress::default());
            let watch = sends_progress::<_, LabelProgress>(send.clone(), progress.clone());
            if let Err(error) = service.label_latents(request, progress, watch).await {
                let _ = send.send(Err(status(error))).await;
            }
        });
        Ok(Response::new(Box::pin(ReceiverStream::new(receive))))
    }

    type ScoreLabelsStream = Answers<v1::ScoreLabelsProgress>;

    async fn score_labels(
        &self,
        request: Request<v1::ScoreLabelsRequest>,
    ) -> Result<Response<Self::ScoreLabelsStream>, Status> {
        let request = score_request(request.into_inner()).map_err(status)?;
        let (send, receive) = mpsc::channel(16);
        let service = self.0.clone();
        tokio::spawn(async move {
            let progress = Arc::new(Progress::default());
            let watch = sends_progress::<_, ScoreProgress>(send.clone(), progress.clone());
            let last = service.score_labels(request, progress, watch).await;
            let last = last.map_err(status).map(|summary| v1::ScoreLabelsProgress {
                done: (summary.scored + summary.unscored) as u64,
                total: (summary.scored + summary.unscored) as u64,
                summary: Some(v1::LabelScoreSummary {
                    scored: summary.scored as u64,
                    unscored: summary.unscored as u64,
                    median_pearson: summary.median_pearson,
                    median_f1: summary.median_f1,
                    low_confidence: summary.low_confidence as u64,
                }),
                ..v1::ScoreLabelsProgress::default()
            });
            let _ = send.send(last).await;
        });
        Ok(Response::new(Box::pin(ReceiverStream::new(receive))))
    }
}

/// Sends what is told to a stream, from the thread that does the work. Waits for a slow client, so
/// that no message is lost; stops the work once the client is gone.
fn sends_progress<T, P: Into<T>>(
    updates: mpsc::Sender<Result<T, Status>>,
    progress: Arc<Progress>,
) -> impl FnMut(P) {
    move |told| {
        if updates.blocking_send(Ok(told.into())).is_err() {
            progress.stop();
        }
    }
}

impl From<LabelProgress> for v1::LabelLatentsProgress {
    fn from(progress: LabelProgress) -> Self {
        Self {
            done: progress.done as u64,
            total: progress.total as u64,
            written: progress.written as u64,
            passed_over: progress.passed_over as u64,
            labels: progress.labels.into_iter().map(wire_latent_label).collect(),
            tokens: progress.tokens,
            unlabelled: progress
                .unlabelled
                .into_iter()
                .map(|(latent, why)| v1::UnlabelledLatent {
                    latent,
                    why: why.to_owned(),
                })
                .collect(),
        }
    }
}

impl From<ScoreProgress> for v1::ScoreLabelsProgress {
    fn from(progress: ScoreProgress) -> Self {
        let scored = progress.scores.into_iter();
        Self {
            done: progress.done as u64,
            total: progress.total as u64,
            scores: scored
                .map(|scored| v1::ScoredLabel {
                    latent: scored.latent,
                    text: scored.text,
                    source: scored.source,
                    score: Some(wire_score(scored.score)),
                })
                .collect(),
            tokens: progress.tokens,
            summary: None,
        }
    }
}

fn unknown(field: &str, value: i32, what: &str) -> Error {
    Error::invalid(field, format!("is {value}, which is no {what}"))
}

fn chat_use(model: Option<String>, limits: Option<v1::ChatLimits>) -> ChatUse {
    let limits = limits.unwrap_or_default();
    ChatUse {
        model,
        concurrency: non_zero(limits.concurrency),
        requests_per_minute: (limits.requests_per_minute != 0)
            .then_some(limits.requests_per_minute),
        tokens: (limits.tokens != 0).then_some(limits.tokens),
    }
}

fn label_request(wire: v1::LabelLatentsRequest) -> Result<LabelRequest, Error> {
    let model = non_empty(wire.model);
    Ok(LabelRequest {
        labeller: match v1::LabellerKind::try_from(wire.labeller) {
            Ok(v1::LabellerKind::Keyphrase) => LabellerChoice::Keyphrases,
            Ok(v1::LabellerKind::Chat) => LabellerChoice::Chat(chat_use(model, wire.chat)),
            Ok(v1::LabellerKind::Local) => LabellerChoice::Local(model),
            Err(_) => return Err(unknown("labeller", wire.labeller, "labeller")),
        },
        address: address(wire.collection)?,
        replace: wire.replace,
        again: wire.again,
        latents: wire.latents,
        limit: non_zero(wire.limit),
        seed: wire.seed,
    })
}

fn score_request(wire: v1::ScoreLabelsRequest) -> Result<ScoreRequest, Error> {
    let model = non_empty(wire.model);
    let documents = count_or(wire.documents, DEFAULT_DOCUMENTS, 200, "documents")?;
    if documents < 2 {
        return Err(Error::invalid("documents", "is 1; 2 to 200 is accepted"));
    }
    Ok(ScoreRequest {
        judge: match v1::JudgeKind::try_from(wire.judge) {
            Ok(v1::JudgeKind::Similarity) => JudgeChoice::Similarity,
            Ok(v1::JudgeKind::Chat) => JudgeChoice::Chat(chat_use(model, wire.chat)),
            Ok(v1::JudgeKind::Local) => JudgeChoice::Local(model),
            Err(_) => return Err(unknown("judge", wire.judge, "judge")),
        },
        address: address(wire.collection)?,
        latents: wire.latents,
        sample: non_zero(wire.sample),
        compare: wire.compare,
        seed: wire.seed,
        documents,
        hard_negatives: wire.hard_negatives,
    })
}

fn new_label(entry: v1::LabelEntry) -> Result<NewLabel, Error> {
    let created = entry.created.as_ref().map(micros).transpose();
    Ok(NewLabel {
        latent: entry.latent,
        text: entry.text,
        source: non_empty(entry.source).unwrap_or_else(|| "client".to_owned()),
        score: entry.score,
        created: created.within("created")?,
    })
}

fn wire_page(page: LatentPage) -> v1::Latent {
    let latent = page.statistics.latent;
    let documents = |documents: Vec<(Document, f32)>| {
        let entries = documents.into_iter();
        entries
            .map(|(document, activation)| v1::ActivatingDocument {
                span: span_of(document.positions(), latent),
                document: Some(wire_document(document)),
                activation,
            })
            .collect()
    };
    let related = |related: Vec<Related>| {
        let entries = related.into_iter();
        entries
            .map(|related| v1::RelatedLatent {
                latent: related.latent,
                label: related.label.map(wire_label),
                score: related.score,
                documents: related.documents,
            })
            .collect()
    };
    v1::Latent {
        summary: Some(wire_statistics(page.statistics)),
        quantiles: page.quantiles,
        documents: documents(page.documents),
        labels: page.labels.into_iter().map(wire_label).collect(),
        histogram: page.histogram.map(|histogram| v1::Histogram {
            lower: histogram.lower,
            width: histogram.width,
            counts: histogram.counts,
        }),
        random_documents: documents(page.random_documents),
        nearest: related(page.nearest),
        co_occurring: related(page.co_occurring),
        attributes: page
            .attributes
            .into_iter()
            .map(|lift| v1::AttributeLift {
                name: lift.name,
                value: Some(wire_value(lift.value)),
                documents: lift.documents,
                total: lift.total,
                lift: lift.lift,
            })
            .collect(),
    }
}

fn wire_statistics(statistics: LatentStatistics) -> v1::LatentSummary {
    v1::LatentSummary {
        latent: statistics.latent,
        label: statistics.label.map(wire_label),
        documents: statistics.documents,
        density: statistics.density,
        mean_activation: statistics.mean_activation,
    }
}

fn wire_label(label: Label) -> v1::Label {
    v1::Label {
        low_confidence: label.is_low_confidence(),
        text: label.text,
        source: label.source,
        score: label.score,
        created: Some(timestamp(label.created)),
        version: label.version,
        scores: label.scores.into_iter().map(wire_score).collect(),
    }
}

fn wire_latent_label((latent, label): (u32, Label)) -> v1::LatentLabel {
    v1::LatentLabel {
        latent,
        label: Some(wire_label(label)),
    }
}

fn wire_score(score: LabelScore) -> v1::LabelScore {
    v1::LabelScore {
        judge: score.judge,
        pearson: score.pearson,
        f1: score.f1,
        positives: score.positives,
        negatives: score.negatives,
        hard_negatives: score.hard_negatives,
        created: Some(timestamp(score.created)),
    }
}
