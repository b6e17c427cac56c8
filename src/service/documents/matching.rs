//! Changing and deleting all documents of a filter.

use std::collections::BTreeMap;
use std::sync::Arc;

use latentdb_index::filter::{AttributeTest, Resolver as _};
use latentdb_index::{Filter, MatchingUpdate, Operation, ResolvedFilter, Value, Written};

use super::conditions::{ExpectedVersions, requirements};
use super::{Documents, WriteOrder};
use crate::error::{Error, Result, Within as _};
use crate::service::core::View;
use crate::service::names::{resolve_filter, resolve_set};

/// A change of attributes of all documents of a filter.
#[derive(Clone, Debug)]
pub struct MatchingChange {
    /// Which documents.
    pub filter: Filter,
    /// Attributes to set.
    pub set: BTreeMap<String, Value>,
    /// Attributes to remove.
    pub remove: Vec<String>,
    /// Change although a test cannot match, or no document has an attribute that is removed.
    pub ignore_warnings: bool,
}

impl MatchingChange {
    fn resolved(&self, view: &View) -> Result<MatchingUpdate> {
        let filter = resolve_set(view, &self.filter, "matching.filter")?;
        let update = MatchingUpdate {
            filter,
            set: self.set.clone(),
            remove: self.remove.clone(),
        };
        update.validate().within("matching")?;
        for name in &self.remove {
            view.consider(name, &AttributeTest::Exists)?;
        }
        Ok(update)
    }
}

impl Documents {
    /// Changes attributes of what a filter describes, in one commit.
    ///
    /// # Errors
    /// `FailedPrecondition` where a test in the filter cannot match, or no document has an attribute
    /// that is removed, and warnings are not ignored; `InvalidArgument` naming the field, and for an
    /// `all_of` of nothing.
    pub async fn update_matching(
        self: &Arc<Self>,
        collection: &str,
        change: MatchingChange,
        expected: ExpectedVersions,
    ) -> Result<Written> {
        self.core.check_room()?;
        refuse_empty_group(&change.filter, "update").within("matching")?;
        self.prepared(collection, None, WriteOrder::default(), |view| {
            let (change, mut operations) = (change.clone(), requirements(&expected));
            async move {
                let update = change.resolved(&view)?;
                refuse_doubts(&view, change.ignore_warnings, "matching", "updated")?;
                operations.push(Operation::UpdateMatching(Box::new(update)));
                Ok(operations)
            }
        })
        .await
    }

    /// Deletes what a filter describes.
    ///
    /// # Errors
    /// `FailedPrecondition` where a test in the filter cannot match and warnings are not ignored;
    /// `InvalidArgument` for an `all_of` of nothing.
    pub async fn delete_matching(
        self: &Arc<Self>,
        collection: &str,
        filter: Filter,
        ignore_warnings: bool,
        expected: ExpectedVersions,
    ) -> Result<Written> {
        refuse_empty_group(&filter, "delete")?;
        self.prepared(collection, None, WriteOrder::default(), |view| {
            let (filter, mut operations) = (filter.clone(), requirements(&expected));
            async move {
                let resolved: ResolvedFilter = resolve_filter(&view, &filter)?;
                refuse_doubts(&view, ignore_warnings, "filter", "deleted")?;
                operations.push(Operation::DeleteMatching(resolved));
                Ok(operations)
            }
        })
        .await
    }
}

fn refuse_empty_group(filter: &Filter, verb: &str) -> Result<()> {
    if !filter.has_empty_and() {
        return Ok(());
    }
    Err(Error::invalid(
        "filter",
        format!(
            "has an `all_of` of nothing, which every document meets; to {verb} all of them the \
             filter is `all`"
        ),
    ))
}

fn refuse_doubts(view: &View, ignore_warnings: bool, field: &str, done: &str) -> Result<()> {
    let warnings = view.warnings();
    if ignore_warnings || warnings.is_empty() {
        return Ok(());
    }
    Err(Error::precondition(format!(
        "{field}: {}; nothing was {done} (ignore_warnings, or `--ignore-warnings`, goes ahead \
         nevertheless)",
        warnings.join("; ")
    )))
}
