//! Near-duplicates and badly explained documents as tables.

use latentdb_proto::v1::{Duplicate, PoorlyExplained};

use crate::client::streams::Duplicates;
use crate::report::Table;

fn id(member: &Duplicate) -> &str {
    member.document.as_ref().map_or("", |document| &document.id)
}

/// One row per document that is listed of a group.
pub fn duplicates(found: &Duplicates) -> Table {
    let numbered = (1..).zip(&found.groups).flat_map(|(number, group)| {
        let members = group.documents.iter();
        members.map(move |member| (number, group.size, member))
    });
    let members: Vec<(u64, u64, &Duplicate)> = numbered.collect();
    Table::of(&members)
        .value("group", |(number, _, _)| *number)
        .value("group_size", |(_, size, _)| *size)
        .value("id", |(_, _, member)| id(member))
        .value("similarity", |(_, _, member)| member.similarity)
        .build()
}

/// One row per document.
pub fn unexplained(found: &PoorlyExplained) -> Table {
    Table::of(&found.worst)
        .value("id", |entry| {
            entry.document.as_ref().map(|found| &*found.id)
        })
        .value("residual_share", |entry| entry.residual_share)
        .build()
}
