//! Families on the wire.

use latentdb_index::analysis::families::FamilyOptions;
use latentdb_proto::v1;

use super::types::count_or;
use crate::error::{Error, Result};
use crate::service::{FindFamilies, LabelledFamily};

/// Maximum rounds per search for families.
const MAX_ROUNDS: usize = 20;
/// Maximum members a family may be asked to have.
const MAX_MEMBERS: usize = 100_000;

pub(super) fn find_families(wire: &v1::FindFamiliesRequest) -> Result<FindFamilies> {
    let default = FamilyOptions::default();
    let share = |given: Option<f64>, otherwise: f64, field: &str| {
        let share = given.unwrap_or(otherwise);
        if (0.0..=1.0).contains(&share) {
            return Ok(share);
        }
        let message = format!("is {share}; 0 to 1 is accepted");
        Err(Error::invalid(field, message))
    };
    let least = default.min_members + 1;
    let options = FamilyOptions {
        max_density: share(wire.max_density, default.max_density, "max_density")?,
        min_similarity: share(
            wire.min_similarity,
            default.min_similarity,
            "min_similarity",
        )?,
        above_chance: !wire.all_shared,
        max_overlap: share(wire.max_overlap, default.max_overlap, "max_overlap")?,
        min_members: count_or(wire.min_members, least, MAX_MEMBERS, "min_members")? - 1,
        rounds: count_or(wire.rounds, default.rounds, MAX_ROUNDS, "rounds")?,
        ..default
    };
    Ok(FindFamilies {
        options,
        min_label_score: wire.min_label_score,
    })
}

pub(super) fn wire_families(families: Vec<LabelledFamily>) -> v1::FamiliesResponse {
    v1::FamiliesResponse {
        families: families.into_iter().map(wire_family).collect(),
    }
}

fn wire_family(labelled: LabelledFamily) -> v1::Family {
    let family = labelled.family;
    let members = family.members.into_iter().zip(labelled.member_labels);
    v1::Family {
        root: family.root,
        label: labelled.label.unwrap_or_default(),
        members: members
            .map(|(member, label)| v1::FamilyMember {
                latent: member.latent,
                label: label.unwrap_or_default(),
                below: member.below,
                depth: member.depth as u32,
            })
            .collect(),
        score: family.score,
        documents: family.documents,
        round: family.round as u32,
    }
}
