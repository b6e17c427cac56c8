//! Streaming calls, read to their end: each gives one result of what its messages add up to.

use std::collections::BTreeMap;

use latentdb_proto::v1::{
    AttachSaeProgress, AttachSaeRequest, ClusterMember, ClusterRequest, ClusterResponse,
    ClusterSummary, Collection, CorrelateRequest, CorrelateResponse, CorrelateSummary,
    CorrelatedPair, CreateSnapshotProgress, CreateSnapshotRequest, DetachSaeRequest,
    DiffComparison, DiffRequest, DiffResponse, DiffRow, Document, DuplicateGroup, ExplainRequest,
    ExplainResponse, ExplainSummary, ExplainedLatent, Hypothesis, HypothesiseRequest,
    HypothesiseResponse, HypothesiseSummary, LabelLatentsProgress, LabelLatentsRequest,
    LabelScoreSummary, LatentLabel, ListLabelsRequest, MatchLatentsRequest, MatchLatentsResponse,
    MatchSummary, MatchedLatent, MoveLatentsRequest, NearDuplicatesRequest, NearDuplicatesResponse,
    NearDuplicatesSummary, PoorlyExplained, PoorlyExplainedRequest, PoorlyExplainedResponse,
    RestoreSnapshotProgress, RestoreSnapshotRequest, ScoreLabelsProgress, ScoreLabelsRequest,
    ScoredLabel, ScrollRequest, TrainSaeProgress, TrainSaeRequest, TrendRow, TrendsRequest,
    TrendsResponse, TrendsSummary, cluster_response, correlate_response, diff_response,
    explain_response, hypothesise_response, match_latents_response, near_duplicates_response,
    poorly_explained_response, trends_response,
};
use tonic::{Status, Streaming};

use super::connection::Client;

/// A message of a stream that reports progress.
pub trait Part {
    /// Units done and units in total, if the message tells.
    fn progress(&self) -> Option<(u64, u64)>;
}

macro_rules! parts {
    ($($response:ident: $module:ident,)*) => {
        $(impl Part for $response {
            fn progress(&self) -> Option<(u64, u64)> {
                match &self.part {
                    Some($module::Part::Progress(now)) => Some((now.done, now.total)),
                    _ => None,
                }
            }
        })*
    };
}

parts! {
    ClusterResponse: cluster_response,
    CorrelateResponse: correlate_response,
    DiffResponse: diff_response,
    ExplainResponse: explain_response,
    HypothesiseResponse: hypothesise_response,
    MatchLatentsResponse: match_latents_response,
    NearDuplicatesResponse: near_duplicates_response,
    PoorlyExplainedResponse: poorly_explained_response,
    TrendsResponse: trends_response,
}

macro_rules! steps {
    ($($message:ident: $done:ident of $total:ident,)*) => {
        $(impl Part for $message {
            fn progress(&self) -> Option<(u64, u64)> {
                (self.$total > 0).then_some((self.$done, self.$total))
            }
        })*
    };
}

steps! {
    AttachSaeProgress: done of total,
    CreateSnapshotProgress: done of total,
    RestoreSnapshotProgress: done of total,
    LabelLatentsProgress: done of total,
    ScoreLabelsProgress: done of total,
    TrainSaeProgress: step of steps,
}

/// The comparisons of a diff: A with each set of B and, of several, with their union last.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Comparisons {
    /// At least one.
    pub comparisons: Vec<Comparison>,
}

/// A with one set of B.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Comparison {
    /// The sets and their sizes.
    pub head: DiffComparison,
    /// The differences, in the order of the request.
    pub rows: Vec<DiffRow>,
}

/// What occurs together.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Correlations {
    /// What was counted.
    pub summary: CorrelateSummary,
    /// The pairs, highest lower bound of NPMI first.
    pub pairs: Vec<CorrelatedPair>,
}

/// A target explained by a few latents.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ExplainedTarget {
    /// The scores on documents held out.
    pub summary: ExplainSummary,
    /// The latents, in the order in which they were chosen.
    pub latents: Vec<ExplainedLatent>,
}

/// Differences in words, and whether they hold.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Hypotheses {
    /// The sets, who labelled and judged, and what was left out.
    pub summary: HypothesiseSummary,
    /// The hypotheses, by comparison.
    pub hypotheses: Vec<Hypothesis>,
}

/// Latents of one SAE with their counterparts in another.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Matches {
    /// What was compared, and what moved.
    pub summary: MatchSummary,
    /// The latents, by number.
    pub latents: Vec<MatchedLatent>,
}

/// What changes along an order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Trends {
    /// The buckets and what was tested.
    pub summary: TrendsSummary,
    /// The rows, the largest change first.
    pub rows: Vec<TrendRow>,
}

/// Documents grouped along an axis.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Clusters {
    /// The clusters and their axis.
    pub summary: ClusterSummary,
    /// Every document that was compared, with its cluster.
    pub members: Vec<ClusterMember>,
}

/// Groups of near-duplicates.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Duplicates {
    /// What was compared.
    pub summary: NearDuplicatesSummary,
    /// The groups, the largest first.
    pub groups: Vec<DuplicateGroup>,
}

/// What a judge found of labels.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Scoring {
    /// Medians and counts.
    pub summary: LabelScoreSummary,
    /// Tokens that the chat endpoint counted.
    pub tokens: u64,
    /// The scores by latent and labeller.
    pub scores: Vec<ScoredLabel>,
}

/// Reads a stream to its end: `watch` sees each message before `take` keeps what it brings.
async fn read<M>(
    mut stream: Streaming<M>,
    mut watch: impl FnMut(&M),
    mut take: impl FnMut(M),
) -> Result<(), Status> {
    while let Some(message) = stream.message().await? {
        watch(&message);
        take(message);
    }
    Ok(())
}

/// The result of a stream, or the error that it ended without one.
fn complete<T>(result: Option<T>, before: &str) -> Result<T, Status> {
    result.ok_or_else(|| Status::aborted(format!("the server ended the call before {before}")))
}

/// Calls whose stream is a summary and batches of rows.
macro_rules! summarised {
    ($(
        $(#[$doc:meta])*
        $call:ident($request:ty, $response:ty) -> $result:ident { $rows:ident },
        $module:ident::$batch:ident, $before:literal;
    )*) => {
        impl Client {
            $(
                $(#[$doc])*
                ///
                /// # Errors
                /// As [`Self::diff`].
                pub async fn $call(
                    &self,
                    request: $request,
                    watch: impl FnMut(&$response),
                ) -> Result<$result, Status> {
                    let stream = self.analyses().$call(request).await?.into_inner();
                    let (mut summary, mut $rows) = (None, Vec::new());
                    read(stream, watch, |message| match message.part {
                        Some($module::Part::Summary(found)) => summary = Some(found),
                        Some($module::Part::$batch(batch)) => $rows.extend(batch.$rows),
                        _ => {}
                    })
                    .await?;
                    let summary = complete(summary, $before)?;
                    Ok($result { summary, $rows })
                }
            )*
        }
    };
}

summarised! {
    /// Finds latents that occur together, or with a value of an attribute.
    correlate(CorrelateRequest, CorrelateResponse) -> Correlations { pairs },
    correlate_response::Pairs, "anything was counted";
    /// Finds the few latents that tell an attribute.
    explain(ExplainRequest, ExplainResponse) -> ExplainedTarget { latents },
    explain_response::Latents, "the target was explained";
    /// Says in words what sets documents apart, and tests that on documents held back.
    hypothesise(HypothesiseRequest, HypothesiseResponse) -> Hypotheses { hypotheses },
    hypothesise_response::Hypotheses, "anything was judged";
    /// Finds which latents of one SAE are which of another.
    match_latents(MatchLatentsRequest, MatchLatentsResponse) -> Matches { latents },
    match_latents_response::Latents, "the latents were matched";
    /// The same, and moves labels, presets and sets.
    move_latents(MoveLatentsRequest, MatchLatentsResponse) -> Matches { latents },
    match_latents_response::Latents, "the latents were matched";
    /// Finds latents that rise, fall or break along an order.
    trends(TrendsRequest, TrendsResponse) -> Trends { rows },
    trends_response::Rows, "anything was counted";
    /// Groups documents along an axis.
    cluster(ClusterRequest, ClusterResponse) -> Clusters { members },
    cluster_response::Members, "the clusters were found";
    /// Finds groups of documents that are nearly the same.
    near_duplicates(NearDuplicatesRequest, NearDuplicatesResponse) -> Duplicates { groups },
    near_duplicates_response::Groups, "the groups were found";
}

impl Client {
    /// Compares sets of documents; `watch` sees each message of the stream.
    ///
    /// # Errors
    /// The server's status; `Aborted` if the stream ends without a comparison. So for all calls
    /// below.
    pub async fn diff(
        &self,
        request: DiffRequest,
        watch: impl FnMut(&DiffResponse),
    ) -> Result<Comparisons, Status> {
        let stream = self.analyses().diff(request).await?.into_inner();
        let mut comparisons: Vec<Comparison> = Vec::new();
        let mut is_orphaned = false;
        read(stream, watch, |message| match message.part {
            Some(diff_response::Part::Comparison(head)) => comparisons.push(Comparison {
                head,
                rows: Vec::new(),
            }),
            Some(diff_response::Part::Rows(batch)) => match comparisons.last_mut() {
                Some(last) => last.rows.extend(batch.rows),
                None => is_orphaned = true,
            },
            _ => {}
        })
        .await?;
        if is_orphaned {
            return Err(Status::aborted("the server sent rows of no comparison"));
        }
        let comparisons = (!comparisons.is_empty()).then_some(comparisons);
        let comparisons = complete(comparisons, "anything was compared")?;
        Ok(Comparisons { comparisons })
    }

    /// Finds the documents that the SAE explains worst.
    ///
    /// # Errors
    /// As [`Self::diff`].
    pub async fn poorly_explained(
        &self,
        request: PoorlyExplainedRequest,
        watch: impl FnMut(&PoorlyExplainedResponse),
    ) -> Result<PoorlyExplained, Status> {
        let stream = self.analyses().poorly_explained(request).await?;
        let mut result: Option<PoorlyExplained> = None;
        read(stream.into_inner(), watch, |message| {
            if let Some(poorly_explained_response::Part::Result(found)) = message.part {
                match &mut result {
                    Some(result) => result.worst.extend(found.worst),
                    none => *none = Some(found),
                }
            }
        })
        .await?;
        complete(result, "the documents were read")
    }

    /// Labels latents and returns the messages as one: the counts of the last, all labels, and all
    /// latents that got none.
    ///
    /// # Errors
    /// The server's status.
    pub async fn label_latents(
        &self,
        request: LabelLatentsRequest,
        watch: impl FnMut(&LabelLatentsProgress),
    ) -> Result<LabelLatentsProgress, Status> {
        let stream = self.latents().label_latents(request).await?.into_inner();
        let mut all = LabelLatentsProgress::default();
        read(stream, watch, |message| {
            let mut labels = std::mem::take(&mut all.labels);
            let mut unlabelled = std::mem::take(&mut all.unlabelled);
            labels.extend(message.labels);
            unlabelled.extend(message.unlabelled);
            all = LabelLatentsProgress {
                labels,
                unlabelled,
                ..message
            };
        })
        .await?;
        Ok(all)
    }

    /// Scores labels on held-out documents.
    ///
    /// # Errors
    /// The server's status.
    pub async fn score_labels(
        &self,
        request: ScoreLabelsRequest,
        watch: impl FnMut(&ScoreLabelsProgress),
    ) -> Result<Scoring, Status> {
        let stream = self.latents().score_labels(request).await?.into_inner();
        let mut found = Scoring::default();
        let mut scores: BTreeMap<(u32, String), ScoredLabel> = BTreeMap::new();
        read(stream, watch, |message| {
            found.tokens = found.tokens.max(message.tokens);
            let scored = message.scores.into_iter();
            scores.extend(scored.map(|score| ((score.latent, score.source.clone()), score)));
            found.summary = message.summary.unwrap_or(found.summary);
        })
        .await?;
        found.scores = scores.into_values().collect();
        Ok(found)
    }

    /// All labels of a collection, by latent.
    ///
    /// # Errors
    /// The server's status.
    pub async fn list_labels(
        &self,
        request: ListLabelsRequest,
    ) -> Result<Vec<LatentLabel>, Status> {
        let stream = self.latents().list_labels(request).await?.into_inner();
        let mut labels = Vec::new();
        read(stream, |_| (), |message| labels.extend(message.labels)).await?;
        Ok(labels)
    }

    /// All documents of a filter. What does not fit into memory is read by the stream of
    /// [`Self::documents`].
    ///
    /// # Errors
    /// The server's status.
    pub async fn scroll(&self, request: ScrollRequest) -> Result<Vec<Document>, Status> {
        let stream = self.documents().scroll(request).await?.into_inner();
        let mut documents = Vec::new();
        read(stream, |_| (), |page| documents.extend(page.documents)).await?;
        Ok(documents)
    }

    /// Attaches an SAE and returns the collection with it.
    ///
    /// # Errors
    /// As [`Self::diff`].
    pub async fn attach_sae(
        &self,
        request: AttachSaeRequest,
        watch: impl FnMut(&AttachSaeProgress),
    ) -> Result<Collection, Status> {
        let stream = self.collections().attach_sae(request).await?;
        changed(stream.into_inner(), watch).await
    }

    /// Detaches an SAE and returns the collection without it.
    ///
    /// # Errors
    /// As [`Self::diff`].
    pub async fn detach_sae(
        &self,
        request: DetachSaeRequest,
        watch: impl FnMut(&AttachSaeProgress),
    ) -> Result<Collection, Status> {
        let stream = self.collections().detach_sae(request).await?;
        changed(stream.into_inner(), watch).await
    }

    /// Makes a snapshot and returns the last message, which has it.
    ///
    /// # Errors
    /// As [`Self::diff`].
    pub async fn create_snapshot(
        &self,
        request: CreateSnapshotRequest,
        watch: impl FnMut(&CreateSnapshotProgress),
    ) -> Result<CreateSnapshotProgress, Status> {
        let stream = self.snapshots().create_snapshot(request).await?;
        let mut last = None;
        read(stream.into_inner(), watch, |message| last = Some(message)).await?;
        let last = last.filter(|last: &CreateSnapshotProgress| last.snapshot.is_some());
        complete(last, "the snapshot was made")
    }

    /// Brings collections of a snapshot back and returns the last message, which has their names.
    ///
    /// # Errors
    /// As [`Self::diff`].
    pub async fn restore_snapshot(
        &self,
        request: RestoreSnapshotRequest,
        watch: impl FnMut(&RestoreSnapshotProgress),
    ) -> Result<RestoreSnapshotProgress, Status> {
        let stream = self.snapshots().restore_snapshot(request).await?;
        let mut last = None;
        read(stream.into_inner(), watch, |message| last = Some(message)).await?;
        complete(last, "the snapshot was restored")
    }

    /// Trains an SAE and returns the last message, which carries the SAE and its quality.
    ///
    /// # Errors
    /// As [`Self::diff`].
    pub async fn train_sae(
        &self,
        request: TrainSaeRequest,
        watch: impl FnMut(&TrainSaeProgress),
    ) -> Result<TrainSaeProgress, Status> {
        let stream = self.models().train_sae(request).await?.into_inner();
        let mut last = None;
        read(stream, watch, |message| last = Some(message)).await?;
        let last = last.filter(|last: &TrainSaeProgress| last.sae.is_some());
        complete(last, "the SAE was trained")
    }
}

async fn changed(
    stream: Streaming<AttachSaeProgress>,
    watch: impl FnMut(&AttachSaeProgress),
) -> Result<Collection, Status> {
    let mut collection = None;
    read(stream, watch, |message| collection = message.collection).await?;
    complete(collection, "the change was made")
}
