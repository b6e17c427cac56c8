//! One example of each query kind, named by its kind, with the command that does the same.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use latentdb_proto::v1::facet::By;
use latentdb_proto::v1::nearest_query::To;
use latentdb_proto::v1::query::Kind;
use latentdb_proto::v1::steer_edit::Edit;
use latentdb_proto::v1::{
    CountRequest, Everything, ExceptQuery, Facet, FacetRequest, FacetResponse, FusionMethod,
    LatentWeight, LatentsQuery, NearestQuery, Projection, Query, SaveSetRequest, SearchRequest,
    SearchResponse, SteerEdit,
};
use serde_json::{Value, json};

use super::setup::COLLECTION;
use crate::cli::client::Client;
use crate::cli::search::{expression, fused, node, words_query};
use crate::cli::{output, response, text};
use crate::client::ToJson as _;
use crate::client::view::facet as view;

/// Hits of an example.
const LIMIT: u32 = 3;
/// Latents shown for a hit.
const LATENTS: u32 = 3;
/// Amount added to the concept of the steered example, against a query vector of length 1.
const STEERED_BY: f32 = 0.6;

/// Runs the whole tour.
pub(super) async fn run(client: &Client, documents: usize, is_json: bool) -> anyhow::Result<()> {
    let tour = Tour {
        client,
        is_json,
        columns: output::columns(),
    };
    tour.introduce(documents)?;
    let concept = tour.nearest().await?;
    tour.steered(concept).await?;
    tour.like().await?;
    tour.latents(concept).await?;
    tour.other_kinds().await?;
    tour.filter(concept).await?;
    tour.saved_sets().await?;
    tour.facets(concept).await?;
    tour.explain(concept).await?;
    tour.paging().await
}

struct Tour<'a> {
    client: &'a Client,
    is_json: bool,
    columns: usize,
}

/// An answer and how long the client waited for it.
struct Answer {
    response: SearchResponse,
    waited: Duration,
}

impl Answer {
    fn ids(&self) -> Vec<&str> {
        self.response
            .hits
            .iter()
            .filter_map(|hit| Some(hit.document.as_ref()?.id.as_str()))
            .collect()
    }
}

impl Tour<'_> {
    fn introduce(&self, documents: usize) -> anyhow::Result<()> {
        if self.is_json {
            return Ok(());
        }
        let text = format!(
            "The collection \"{COLLECTION}\" holds {} snippets: tweets, film reviews, product \
             reviews and newspaper\nopinion. Under each hit stand its strongest latents: number, \
             \"label\", activation and (part of the score).\n",
            text::thousands(documents as u64)
        );
        Ok(output::print(&text)?)
    }

    /// Prints one example: a heading, the command, what came back.
    fn show(&self, kind: &str, what: &str, command: &str, body: &str) -> anyhow::Result<()> {
        if !self.is_json {
            let rule = "─".repeat(
                self.columns
                    .saturating_sub(kind.chars().count() + 4)
                    .min(60),
            );
            output::print(&format!(
                "\n── {kind} {rule}\n{what}\n$ latentdb {command}\n{body}"
            ))?;
        }
        Ok(())
    }

    fn show_json(&self, kind: &str, command: &str, value: Value) -> anyhow::Result<()> {
        if self.is_json {
            let line = json!({"kind": kind, "command": command, "response": value});
            output::print_json(&line)?;
        }
        Ok(())
    }

    /// Prints a search, a note on it and its timings.
    fn show_search(
        &self,
        kind: &str,
        what: &str,
        command: &str,
        answer: &Answer,
        note: &str,
    ) -> anyhow::Result<()> {
        self.show_json(kind, command, answer.response.to_json())?;
        if self.is_json {
            return Ok(());
        }
        let mut shown = answer.response.clone();
        let explanation = shown.explanation.take();
        shown.next_page_token.clear();
        let mut body = response::search(&shown, &|_, label| label.to_owned(), self.columns);
        body.push_str(note);
        if let Some(explanation) = &explanation {
            body.push_str(&response::timing(explanation));
            body.push_str(&format!(", client {}\n", waited(answer.waited)));
        }
        self.show(kind, what, command, &body)
    }

    /// Runs a query and prints it.
    async fn example(
        &self,
        kind: &str,
        what: &str,
        command: &str,
        query: Query,
    ) -> anyhow::Result<Answer> {
        let answer = self.search(query).await?;
        self.show_search(kind, what, command, &answer, "")?;
        Ok(answer)
    }

    async fn search(&self, query: Query) -> anyhow::Result<Answer> {
        let request = SearchRequest {
            collection: COLLECTION.to_owned(),
            query: Some(query),
            limit: LIMIT,
            explain: true,
            latents_per_hit: Some(LATENTS),
            ..SearchRequest::default()
        };
        self.send(request).await
    }

    async fn send(&self, request: SearchRequest) -> anyhow::Result<Answer> {
        let began = Instant::now();
        let response = self.client.searches().search(request).await?.into_inner();
        Ok(Answer {
            response,
            waited: began.elapsed(),
        })
    }

    async fn count(&self, filter: &str) -> anyhow::Result<u64> {
        let request = CountRequest {
            collection: COLLECTION.to_owned(),
            filter: Some(expression(filter.to_owned())),
        };
        let response = self.client.searches().count(request).await?;
        Ok(response.into_inner().count)
    }

    /// Returns the latent that made the hits match: the concept of the examples that follow.
    async fn nearest(&self) -> anyhow::Result<u32> {
        let answer = self
            .example(
                "nearest",
                "Documents whose vectors are near to that of a text.",
                "search demo \"the battery does not hold a charge\"",
                nearest("the battery does not hold a charge"),
            )
            .await?;
        strongest(&answer.response).context("the hits have no latents: is an SAE attached?")
    }

    async fn steered(&self, concept: u32) -> anyhow::Result<()> {
        const TEXT: &str = "this is the best thing I ever bought";
        let plain = self
            .example(
                "nearest, before steering",
                "The same kind, another text; next, it is steered by one concept.",
                &format!("search demo \"{TEXT}\""),
                nearest(TEXT),
            )
            .await?;
        let mut query = nearest(TEXT);
        if let Some(Kind::Nearest(nearest)) = &mut query.kind {
            nearest.steer.push(SteerEdit {
                latent: concept,
                edit: Some(Edit::Add(STEERED_BY)),
                ..SteerEdit::default()
            });
        }
        let steered = self.search(query).await?;
        let before: HashSet<&str> = plain.ids().into_iter().collect();
        let ids = steered.ids();
        let kept = ids.iter().filter(|id| before.contains(**id)).count();
        let note = format!(
            "of the {} hits, {kept} were there before steering and {} are new\n",
            ids.len(),
            ids.len() - kept
        );
        self.show_search(
            "nearest, steered",
            &format!("The same text steered up by latent {concept}."),
            &format!("search demo \"{TEXT}\" --steer {concept}=+{STEERED_BY}"),
            &steered,
            &note,
        )
    }

    async fn like(&self) -> anyhow::Result<()> {
        let found = self
            .search(nearest("a moving performance by the lead actor"))
            .await?;
        let ids = found.ids();
        let id = ids.first().context("the collection is empty")?;
        let query = node(
            "nearest",
            Kind::Nearest(NearestQuery {
                to: Some(To::Document((*id).to_owned())),
                ..NearestQuery::default()
            }),
        );
        let command = format!("search demo --like {id}");
        let kind = "nearest, to a stored document";
        self.example(kind, "More like this one.", &command, query)
            .await?;
        Ok(())
    }

    async fn latents(&self, concept: u32) -> anyhow::Result<()> {
        let request = SearchRequest {
            collection: COLLECTION.to_owned(),
            query: Some(weighted(&[(concept, 1.0)])),
            limit: LIMIT,
            projection: Some(Projection {
                latents: true,
                ..Projection::default()
            }),
            ..SearchRequest::default()
        };
        let alone = self.send(request).await?.response;
        // Another latent of the best hits, to be not wanted.
        let other = alone
            .hits
            .iter()
            .filter_map(|hit| hit.document.as_ref()?.latents.as_ref())
            .flat_map(|row| &row.values)
            .filter(|entry| entry.latent != concept)
            .max_by(|a, b| a.activation.total_cmp(&b.activation))
            .map(|entry| entry.latent);
        let mut weights = vec![(concept, 1.0)];
        weights.extend(other.map(|other| (other, -1.0)));
        let flags: Vec<String> = weights
            .iter()
            .map(|(latent, weight)| format!("--latent {latent}={weight}"))
            .collect();
        self.example(
            "latents",
            "A weighted sum of activations: the first latent is wanted, the second is not.",
            &format!("search demo {}", flags.join(" ")),
            weighted(&weights),
        )
        .await?;
        Ok(())
    }

    async fn other_kinds(&self) -> anyhow::Result<()> {
        let rankings = vec![
            nearest("a film that made me cry"),
            words_query("text", "tears cry"),
        ];
        let except = ExceptQuery {
            query: Some(nearest("a wonderful film").into()),
            minus: Some(nearest("brilliant acting").into()),
            top: 500,
        };
        for (kind, what, command, query) in [
            (
                "text",
                "BM25 over the words of the documents.",
                "search demo --text-query \"zoom lens\"",
                words_query("text", "zoom lens"),
            ),
            (
                "fusion",
                "Several rankings made one, here by reciprocal rank.",
                "search demo \"a film that made me cry\" --text-query \"tears cry\"",
                fused(rankings, FusionMethod::ReciprocalRank),
            ),
            (
                "except",
                "The hits of one query that are not among the best 500 of another.",
                "search demo \"a wonderful film\" --except \"brilliant acting\" --except-top 500",
                node("except", Kind::Excluding(except.into())),
            ),
        ] {
            self.example(kind, what, command, query).await?;
        }
        Ok(())
    }

    async fn filter(&self, concept: u32) -> anyhow::Result<()> {
        let filter = format!("latent({concept}) and source = \"products\" and sentiment < -1");
        let began = Instant::now();
        let count = self.count(&filter).await?;
        let counted = waited(began.elapsed());
        let mut query = nearest("I sent it back");
        query.filter = Some(expression(filter.clone()));
        let answer = self.search(query).await?;
        let note = format!(
            "latentdb count demo --filter '{filter}': {} documents, exactly ({counted})\n",
            text::thousands(count)
        );
        self.show_search(
            "filter and count",
            "Any query under any filter: latents, attributes, words, sets; and, or, not.",
            &format!("search demo \"I sent it back\" --filter '{filter}'"),
            &answer,
            &note,
        )
    }

    async fn saved_sets(&self) -> anyhow::Result<()> {
        for (name, filter) in [
            ("unhappy", "sentiment < -1.5"),
            ("films", "source = \"films\""),
        ] {
            let request = SaveSetRequest {
                collection: COLLECTION.to_owned(),
                name: name.to_owned(),
                filter: Some(expression(filter.to_owned())),
                frozen: false,
            };
            self.client.collections().save_set(request).await?;
        }
        const DIFFERENCE: &str = "set(\"unhappy\") and not set(\"films\")";
        let mut note = String::new();
        for filter in ["set(\"unhappy\")", "set(\"films\")", DIFFERENCE] {
            let count = text::thousands(self.count(filter).await?);
            note.push_str(&format!("{count} documents in {filter}\n"));
        }
        let mut query = nearest("waste of money");
        query.filter = Some(expression(DIFFERENCE.to_owned()));
        let answer = self.search(query).await?;
        self.show_search(
            "saved sets",
            "Filters saved under a name (collection save-set), and their difference.",
            &format!("search demo \"waste of money\" --filter '{DIFFERENCE}'"),
            &answer,
            &note,
        )
    }

    async fn facet(&self, filter: &str, facet: Facet) -> anyhow::Result<FacetResponse> {
        let request = FacetRequest {
            collection: COLLECTION.to_owned(),
            filter: Some(expression(filter.to_owned())),
            facets: vec![facet],
        };
        Ok(self.client.searches().facet(request).await?.into_inner())
    }

    async fn facets(&self, concept: u32) -> anyhow::Result<()> {
        let of_concept = format!("latent({concept})");
        let unhappy = "set(\"unhappy\")";
        for (kind, what, by, filter, facet) in [
            (
                "facet by attribute",
                "Where the concept occurs.",
                "source",
                of_concept.as_str(),
                By::Attribute("source".to_owned()),
            ),
            (
                "facet by latents",
                "What the documents of a set are about.",
                "latents",
                unhappy,
                By::Latents(Everything {}),
            ),
        ] {
            let command = format!("facet demo --by {by} --filter '{filter}' --limit 5");
            let asked = Facet {
                by: Some(facet),
                limit: 5,
                then: None,
            };
            let began = Instant::now();
            let response = self.facet(filter, asked.clone()).await?;
            let took = waited(began.elapsed());
            self.show_json(kind, &command, response.to_json())?;
            let page = view::pages(&[asked], &response.facets, output::table_columns());
            self.show(kind, what, &command, &format!("{page}client {took}\n"))?;
        }
        Ok(())
    }

    async fn explain(&self, concept: u32) -> anyhow::Result<()> {
        let rankings = vec![
            nearest("it broke after a week"),
            weighted(&[(concept, 1.0)]),
            words_query("text", "broke"),
        ];
        let mut query = fused(rankings, FusionMethod::ReciprocalRank);
        query.filter = Some(expression("sentiment < 0".to_owned()));
        let answer = self.search(query).await?;
        let plan = answer.response.explanation.as_ref().map(response::plan);
        self.show_search(
            "explain",
            "How a query was run: the access path of each node, its candidates and its time.",
            &format!(
                "search demo \"it broke after a week\" --latent {concept}=1 --text-query broke \
                 --filter 'sentiment < 0' --explain"
            ),
            &answer,
            &plan.unwrap_or_default(),
        )
    }

    async fn paging(&self) -> anyhow::Result<()> {
        let first = self.search(nearest("good morning")).await?;
        let token = first.response.next_page_token.clone();
        let second = self
            .send(SearchRequest {
                collection: COLLECTION.to_owned(),
                page_token: token,
                explain: true,
                latents_per_hit: Some(LATENTS),
                ..SearchRequest::default()
            })
            .await?;
        let note = format!("the first page had {}\n", first.ids().join(", "));
        self.show_search(
            "paging",
            "The second page, read from the snapshot of the first.",
            "search demo --page-token TOKEN",
            &second,
            &note,
        )
    }
}

fn nearest(text: &str) -> Query {
    node(
        "nearest",
        Kind::Nearest(NearestQuery {
            to: Some(To::Text(text.to_owned())),
            ..NearestQuery::default()
        }),
    )
}

fn weighted(weights: &[(u32, f32)]) -> Query {
    let weights = weights
        .iter()
        .map(|&(latent, weight)| LatentWeight { latent, weight })
        .collect();
    node(
        "latents",
        Kind::Latents(LatentsQuery {
            weights,
            ..LatentsQuery::default()
        }),
    )
}

/// The latent with the largest contributions over all hits.
fn strongest(response: &SearchResponse) -> Option<u32> {
    let parts = || response.hits.iter().flat_map(|hit| &hit.latents);
    let total = |latent: u32| -> f32 {
        parts()
            .filter(|part| part.latent == latent)
            .map(|part| part.contribution)
            .sum()
    };
    parts()
        .map(|part| part.latent)
        .max_by(|a, b| total(*a).total_cmp(&total(*b)))
}

fn waited(duration: Duration) -> String {
    text::milliseconds(u64::try_from(duration.as_micros()).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use latentdb_proto::v1::{Hit, LatentContribution};

    use super::*;

    #[test]
    fn the_concept_is_what_most_of_the_score_comes_from() {
        let hit = |parts: &[(u32, f32)]| Hit {
            latents: parts
                .iter()
                .map(|&(latent, contribution)| LatentContribution {
                    latent,
                    contribution,
                    ..LatentContribution::default()
                })
                .collect(),
            ..Hit::default()
        };
        let response = SearchResponse {
            hits: vec![hit(&[(1, 0.4), (2, 0.3)]), hit(&[(2, 0.3), (3, -0.9)])],
            ..SearchResponse::default()
        };
        assert_eq!(strongest(&response), Some(2));
        assert_eq!(strongest(&SearchResponse::default()), None);
    }
}
