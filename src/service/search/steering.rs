//! Steering a query vector, and what it did.

use std::sync::Arc;

use latentdb_index::database::View;
use latentdb_index::document::validate_vector;
use latentdb_index::query::{Kind, Query};

use super::super::{Service, blocking, models};
use super::resolve::target_vector;
use super::{NearestNode, Node, NodeKind, SteeringReport};
use crate::error::{Error, Result};
use crate::sae::Sae;
use crate::sae::steer::{Edit, steer};

impl Service {
    /// A vector with its latents turned up or down, without searching.
    pub async fn steer(
        self: &Arc<Self>,
        collection: &str,
        nearest: NearestNode,
    ) -> Result<SteeringReport> {
        let view = self.view(collection)?;
        let node = Node {
            kind: NodeKind::Nearest(nearest),
            filter: None,
            name: None,
        };
        let texts = self.encode_texts_of(&view, &node).await?;
        let service = self.clone();
        blocking(move || {
            let NodeKind::Nearest(nearest) = &node.kind else {
                return Err(Error::internal("a nearest node became another"));
            };
            let within = |error: Error| error.within("nearest");
            let vector = target_vector(&view, &nearest.target, &texts).map_err(within)?;
            let sae = service.required_sae(&view)?;
            report(&view, &sae, &vector, &nearest.edits, "nearest").map_err(within)
        })
        .await
    }
}

pub(super) fn report(
    view: &View,
    sae: &Sae,
    vector: &[f32],
    edits: &[Edit],
    component: &str,
) -> Result<SteeringReport> {
    validate_vector(vector, view.record.dimension).map_err(|error| error.within("vector"))?;
    for (at, edit) in edits.iter().enumerate() {
        check_edit(edit, sae.n_latents()).map_err(|error| error.within(&format!("steer[{at}]")))?;
    }
    let steered = steer(sae, vector, edits, None)?;
    let row = |codes: &crate::sae::Codes| models::activations(codes).swap_remove(0);
    Ok(SteeringReport {
        component: component.to_owned(),
        cosine: steered.cosine,
        residual_norm: steered.residual_norm,
        before: row(&steered.before),
        after: row(&steered.after),
        vector: steered.vector,
    })
}

fn check_edit(edit: &Edit, n_latents: usize) -> Result<()> {
    if edit.latent() as usize >= n_latents {
        return Err(Error::invalid(
            "latent",
            format!(
                "is {}; this collection's latents are 0 to {}",
                edit.latent(),
                n_latents - 1
            ),
        ));
    }
    let (field, amount) = match *edit {
        Edit::Scale { factor, .. } => ("scale", factor),
        Edit::Set { activation, .. } => ("set", activation),
        Edit::Add { .. } | Edit::Zero { .. } => return Ok(()),
    };
    if amount >= 0.0 {
        return Ok(());
    }
    Err(Error::invalid(
        field,
        format!("is {amount}; a number from 0 up is accepted"),
    ))
}

/// Gives the reports of nearest nodes, in order, the names the nodes got.
pub(super) fn name_reports(
    query: &Query,
    made: &mut dyn Iterator<Item = Option<SteeringReport>>,
    out: &mut Vec<SteeringReport>,
) {
    if let Kind::Nearest(_) = query.kind
        && let Some(Some(mut report)) = made.next()
    {
        report.component = query.name.clone().unwrap_or_default();
        out.push(report);
    }
    for child in query.children() {
        name_reports(child, made, out);
    }
}
