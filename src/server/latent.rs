//! LatentService.

use std::sync::Arc;

use latentdb_index::{Label, LabelScore};
use latentdb_proto::v1;
use latentdb_proto::v1::latent_service_server::LatentService;

use super::address::address;
use super::annotators::{judge, labeller};
use super::calls::calls;
use super::family::{find_families, wire_families};
use super::reader::span_of;
use super::splitting::{split_request, wire_split};
use super::status::{entry, status};
use super::streams::{AnswerSender, Answers, answers, cut};
use super::types::{count_or, micros, non_empty, non_zero, timestamp, wire_document, wire_value};
use crate::error::{Error, Result, Within as _};
use crate::progress::Progress;
use crate::service::{
    LabelProgress, LabelRequest, LabelSearch, Labels, LatentList, LatentOrder, LatentPage,
    LatentStatistics, NewLabel, PageRequest, ReadDocument, Related, ScoreProgress, ScoreRequest,
};

/// Maximum entries per list on a latent's page.
const MAX_LISTED: usize = 100;
/// Maximum labels that one search returns.
const MAX_FOUND: usize = 10_000;
/// Maximum documents per side that a label is judged on.
const MAX_JUDGED: u32 = 200;

/// Serves latents and their labels.
pub(super) struct LatentAdapter(pub Arc<Labels>);

calls! {
    LatentService of LatentAdapter {
        list_latents(v1::ListLatentsRequest) -> v1::ListLatentsResponse;
        get_latent(v1::GetLatentRequest) -> v1::Latent;
        set_labels(v1::SetLabelsRequest) -> v1::SetLabelsResponse;
        use_label(v1::UseLabelRequest) -> v1::Label;
        search_labels(v1::SearchLabelsRequest) -> v1::SearchLabelsResponse;
        find_families(v1::FindFamiliesRequest) -> v1::FamiliesResponse;
        list_families(v1::ListFamiliesRequest) -> v1::FamiliesResponse;
        split_latents(v1::SplitLatentsRequest) -> v1::SplitLatentsResponse;
    }
    streams {
        list_labels(v1::ListLabelsRequest) -> ListLabelsStream = v1::ListLabelsResponse;
        label_latents(v1::LabelLatentsRequest) -> LabelLatentsStream = v1::LabelLatentsProgress;
        score_labels(v1::ScoreLabelsRequest) -> ScoreLabelsStream = v1::ScoreLabelsProgress;
    }
}

impl LatentAdapter {
    async fn list_latents(&self, wire: v1::ListLatentsRequest) -> Result<v1::ListLatentsResponse> {
        let order = match entry(wire.order, "order")? {
            v1::LatentOrder::Documents => LatentOrder::Documents,
            v1::LatentOrder::Number => LatentOrder::Number,
        };
        let asked = LatentList {
            label_query: wire.label_query,
            min_recurrence: wire.min_recurrence,
            order,
            limit: count_or(wire.limit, 100, 100_000, "limit")?,
            offset: wire.offset as usize,
        };
        let address = address(wire.collection)?;
        let (latents, total) = self.0.list_latents(&address, asked).await?;
        Ok(v1::ListLatentsResponse {
            latents: latents.into_iter().map(wire_statistics).collect(),
            total,
        })
    }

    async fn get_latent(&self, wire: v1::GetLatentRequest) -> Result<v1::Latent> {
        let request = PageRequest {
            documents: count_or(wire.documents, 5, MAX_LISTED, "documents")?,
            random_documents: count_or(wire.random_documents, 0, MAX_LISTED, "random_documents")?,
            seed: wire.seed,
            related: count_or(wire.related, 0, MAX_LISTED, "related")?,
        };
        let address = address(wire.collection)?;
        let page = self.0.latent(&address, wire.latent, request).await?;
        Ok(wire_page(page))
    }

    async fn set_labels(&self, wire: v1::SetLabelsRequest) -> Result<v1::SetLabelsResponse> {
        let entries = wire.labels.into_iter().enumerate();
        let labels = entries.map(|(at, entry)| new_label(entry).within(&format!("labels[{at}]")));
        let labels = labels.collect::<Result<_>>()?;
        let sae = non_empty(wire.sae_sha256);
        let address = address(wire.collection)?;
        let written = self.0.set_labels(&address, labels, sae).await? as u32;
        Ok(v1::SetLabelsResponse { written })
    }

    async fn use_label(&self, wire: v1::UseLabelRequest) -> Result<v1::Label> {
        let address = address(wire.collection)?;
        let used = self.0.use_label(&address, wire.latent, wire.version);
        Ok(wire_label(used.await?))
    }

    async fn list_labels(
        &self,
        wire: v1::ListLabelsRequest,
    ) -> Result<Answers<v1::ListLabelsResponse>> {
        let address = address(wire.collection)?;
        let labels = self.0.list_labels(&address, wire.all_versions).await?;
        let lists = cut(labels.into_iter().map(wire_latent_label)).into_iter();
        let messages: Vec<_> = lists
            .map(|labels| Ok(v1::ListLabelsResponse { labels }))
            .collect();
        Ok(Box::pin(futures::stream::iter(messages)))
    }

    async fn search_labels(
        &self,
        wire: v1::SearchLabelsRequest,
    ) -> Result<v1::SearchLabelsResponse> {
        let how = match entry(wire.mode, "mode")? {
            v1::LabelSearchMode::Default => LabelSearch::Any,
            v1::LabelSearchMode::Meaning => LabelSearch::Meaning,
            v1::LabelSearchMode::Words => LabelSearch::Words,
        };
        let limit = count_or(wire.limit, 10, MAX_FOUND, "limit")?;
        let address = address(wire.collection)?;
        let found = self.0.search_labels(&address, &wire.text, how, limit);
        let (found, warnings) = found.await?;
        let labels = found.into_iter().map(|found| v1::FoundLabel {
            latent: found.latent,
            label: Some(wire_label(found.label)),
            score: found.score as f32,
            documents: found.documents,
        });
        Ok(v1::SearchLabelsResponse {
            labels: labels.collect(),
            warnings,
        })
    }

    async fn find_families(&self, wire: v1::FindFamiliesRequest) -> Result<v1::FamiliesResponse> {
        let find = find_families(&wire)?;
        let address = address(wire.collection)?;
        let found = self.0.find_families(&address, find).await?;
        Ok(wire_families(found))
    }

    async fn list_families(&self, wire: v1::ListFamiliesRequest) -> Result<v1::FamiliesResponse> {
        let found = self.0.list_families(&address(wire.collection)?).await?;
        Ok(wire_families(found))
    }

    async fn split_latents(
        &self,
        wire: v1::SplitLatentsRequest,
    ) -> Result<v1::SplitLatentsResponse> {
        let found = self.0.split_latents(split_request(wire)?).await?;
        Ok(wire_split(found))
    }

    async fn label_latents(
        &self,
        wire: v1::LabelLatentsRequest,
    ) -> Result<Answers<v1::LabelLatentsProgress>> {
        let request = label_request(wire)?;
        let service = self.0.clone();
        Ok(answers(16, |send| async move {
            let progress = Arc::new(Progress::default());
            let watch = sends_progress::<_, LabelProgress>(send, progress.clone());
            let labelled = service.label_latents(request, progress, watch).await;
            labelled.map(drop).map_err(status)
        }))
    }

    async fn score_labels(
        &self,
        wire: v1::ScoreLabelsRequest,
    ) -> Result<Answers<v1::ScoreLabelsProgress>> {
        let request = score_request(wire)?;
        let service = self.0.clone();
        Ok(answers(16, |send| async move {
            let progress = Arc::new(Progress::default());
            let watch = sends_progress::<_, ScoreProgress>(send.clone(), progress.clone());
            let summary = service.score_labels(request, progress, watch).await;
            let summary = summary.map_err(status)?;
            let last = v1::ScoreLabelsProgress {
                done: (summary.scored + summary.unscored) as u64,
                total: (summary.scored + summary.unscored) as u64,
                summary: Some(v1::LabelScoreSummary {
                    scored: summary.scored as u64,
                    unscored: summary.unscored as u64,
                    median_pearson: summary.median_pearson,
                    median_f1: summary.median_f1,
                    low_confidence: summary.low_confidence as u64,
                    at_least_03: summary.at_least[0] as u64,
                    at_least_05: summary.at_least[1] as u64,
                    at_least_08: summary.at_least[2] as u64,
                }),
                ..v1::ScoreLabelsProgress::default()
            };
            // Nobody who listens is as good.
            let _ = send.send(Ok(last)).await;
            Ok(())
        }))
    }
}

/// Sends what is told to a stream, from the thread that does the work. Waits for a slow client, so
/// that no message is lost; stops the work once the client is gone.
fn sends_progress<T, P: Into<T>>(
    updates: AnswerSender<T>,
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

fn label_request(wire: v1::LabelLatentsRequest) -> Result<LabelRequest> {
    Ok(LabelRequest {
        labeller: labeller(wire.labeller, wire.model, wire.chat)?,
        address: address(wire.collection)?,
        replace: wire.replace,
        again: wire.again,
        latents: wire.latents,
        limit: non_zero(wire.limit),
        seed: wire.seed,
    })
}

fn score_request(wire: v1::ScoreLabelsRequest) -> Result<ScoreRequest> {
    let documents = match wire.documents {
        0 => None,
        asked @ 2..=MAX_JUDGED => Some(asked as usize),
        asked => {
            let message = format!("is {asked}; 2 to {MAX_JUDGED} is accepted");
            return Err(Error::invalid("documents", message));
        }
    };
    Ok(ScoreRequest {
        judge: judge(wire.judge, wire.model, wire.judge_encoder, wire.chat)?,
        address: address(wire.collection)?,
        latents: wire.latents,
        sample: non_zero(wire.sample),
        compare: wire.compare,
        seed: wire.seed,
        documents,
    })
}

fn new_label(entry: v1::LabelEntry) -> Result<NewLabel> {
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
    let documents = |documents: Vec<(ReadDocument, f32)>| {
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
        recurrence: statistics.recurrence,
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
        moved_phi: label.moved.as_ref().map(|moved| moved.phi),
        moved_from: label.moved.map(|moved| moved.from).unwrap_or_default(),
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
        low: score.low,
        high: score.high,
        same_encoder: score.same_encoder,
        created: Some(timestamp(score.created)),
    }
}
