//! What a write will change, decided against the state it will meet: the snapshot, and what is
//! gathered before it. Nothing is changed here.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::ops::Bound;
use std::sync::Arc;

use indexmap::IndexMap;

use super::operation::{MatchingUpdate, Operation, Passages, Requirement, Update, Written};
use super::shared::Shared;
use crate::document::{Document, Value, validate_attribute_count};
use crate::error::{Error, ErrorKind, Result, Within as _};
use crate::filter::{Filter, IdTest, ResolvedFilter};
use crate::snapshot::Snapshot;
use crate::version::Version;

/// What one write will change.
#[derive(Default)]
pub(super) struct Changes {
    /// In the order of the operations, so that documents lie as they were sent and what is read in
    /// row order (training, exports) is the same for every ingest of the same records.
    pub documents: IndexMap<String, Option<Document>>,
    /// Those of the ids that may be passages', in order: looking for a document's among all would take time with the
    /// square of a batch.
    numbered: BTreeSet<String>,
    /// Stored documents that are rewritten; then nothing else changes.
    pub rewrite: Option<Rewrite>,
    /// Texts among them of which vectors know the beginning alone.
    pub cut_texts: u64,
    pub written: Written,
}

/// Documents of a snapshot with a change of their attributes. They are read one by one as they are
/// written: a filter may describe more of them than fit in memory.
pub(super) struct Rewrite {
    snapshot: Arc<Snapshot>,
    docs: Vec<u32>,
    change: Box<MatchingUpdate>,
}

impl Rewrite {
    /// The documents as they will be.
    pub fn documents(&self) -> impl Iterator<Item = Result<Document>> + '_ {
        self.docs.iter().map(|&doc| {
            let mut document = self.snapshot.whole(doc)?;
            let (set, remove) = (&self.change.set, &self.change.remove);
            let set = set
                .iter()
                .map(|(name, value)| (name.clone(), value.clone()));
            change_attributes(&mut document, set, remove)?;
            Ok(document)
        })
    }
}

/// The state that a write meets.
pub(super) struct Planner<'p> {
    pub shared: &'p Shared,
    pub snapshot: Arc<Snapshot>,
    /// Documents as the writes before leave them that are not committed yet; `None` is deleted.
    pub gathered: &'p BTreeMap<String, Option<Document>>,
}

impl Planner<'_> {
    /// What operations will change, all of them or none.
    pub fn plan(&self, operations: Vec<Operation>) -> Result<Changes> {
        let changing = operations
            .iter()
            .filter(|one| !matches!(one, Operation::Require { .. } | Operation::CountCut(_)));
        let is_alone = changing.count() == 1;
        let mut changes = Changes::default();
        for operation in operations {
            match operation {
                Operation::Upsert(document) => changes.put(*document),
                Operation::Insert(document) => {
                    if self.exists(&document.id, &changes)? {
                        changes.written.existing.push(document.id);
                    } else {
                        changes.put(*document);
                    }
                }
                Operation::Passages(passages) => self.replace(*passages, &mut changes)?,
                Operation::Update(update) => {
                    let before = match changes.documents.get_mut(&update.id) {
                        Some(staged) => staged.take(),
                        None => self.current(&update.id)?,
                    };
                    let document = before.ok_or_else(|| {
                        Error::not_found(format!("document {:?} does not exist", update.id))
                    })?;
                    changes.put(updated(document, *update)?);
                }
                Operation::UpdateMatching(update) if is_alone => {
                    let rewrite = self.rewrite(update)?;
                    changes.written.upserted = rewrite.docs.len() as u64;
                    changes.rewrite = Some(rewrite);
                }
                Operation::UpdateMatching(_) => {
                    return Err(Error::invalid(
                        "operations",
                        "has an update by filter and other changes; it goes into a batch of its own",
                    ));
                }
                Operation::Delete(ids) => {
                    for id in ids {
                        if self.exists(&id, &changes)? {
                            changes.delete(id);
                        }
                    }
                }
                Operation::DeleteMatching(filter) => {
                    if !changes.documents.is_empty() {
                        return Err(Error::invalid(
                            "operations",
                            "has a delete by filter after other changes; it goes first or into a \
                             batch of its own",
                        ));
                    }
                    for id in self.matching_ids(&filter)? {
                        changes.delete(id);
                    }
                }
                Operation::CountCut(texts) => changes.cut_texts += texts,
                Operation::Require { id, state } => self.require(&id, state, &changes)?,
            }
        }
        Ok(changes)
    }

    /// Puts a document's passages in the place of what is there of it.
    fn replace(&self, passages: Passages, changes: &mut Changes) -> Result<()> {
        let parent = passages.parent().to_owned();
        let is_whole = self.exists(&parent, changes)?;
        let written = passages.documents().len() as u64;
        let behind = self.passages_from(written, &parent, changes)?;
        if passages.keep_existing {
            let mut exists = is_whole || !behind.is_empty();
            for passage in passages.documents() {
                exists |= self.exists(&passage.id, changes)?;
            }
            if exists {
                changes.written.existing.push(parent);
                return Ok(());
            }
        }
        if is_whole {
            changes.delete(parent);
        }
        behind.into_iter().for_each(|id| changes.delete(id));
        passages
            .into_documents()
            .into_iter()
            .for_each(|one| changes.put(one));
        Ok(())
    }

    /// Ids of a document's passages from a number on. There may be gaps: passages are deleted one by one too. A
    /// document whose id looks so only is none.
    fn passages_from(
        &self,
        first: u64,
        parent: &str,
        changes: &Changes,
    ) -> Result<BTreeSet<String>> {
        let (lower, upper) = Passages::ids(parent);
        let test = IdTest::Range {
            lower: Bound::Included(lower.clone()),
            upper: Bound::Excluded(upper.clone()),
        };
        let mut ids: BTreeSet<String> = self.matching_ids(&Filter::Id(test))?.into_iter().collect();
        let staged = self.gathered.range(lower.clone()..upper.clone());
        ids.extend(staged.map(|(id, _)| id.clone()));
        ids.extend(changes.numbered.range(lower..upper).cloned());
        let mut passages = BTreeSet::new();
        for id in ids {
            if Passages::number(parent, &id).is_some_and(|number| number >= first)
                && self.names_parent(&id, parent, changes)?
            {
                passages.insert(id);
            }
        }
        Ok(passages)
    }

    fn names_parent(&self, id: &str, parent: &str, changes: &Changes) -> Result<bool> {
        let names = |document: &Document| matches!(document.attributes.get(Passages::PARENT), Some(Value::String(own)) if own == parent);
        if let Some(staged) = self.staged(id, changes) {
            return Ok(staged.as_ref().is_some_and(names));
        }
        match self.snapshot.find(id)? {
            Some(doc) => Ok(names(&self.snapshot.whole(doc)?)),
            None => Ok(false),
        }
    }

    fn require(&self, id: &str, state: Requirement, changes: &Changes) -> Result<()> {
        match state {
            Requirement::Absent if self.exists(id, changes)? => Err(Error::new(
                ErrorKind::AlreadyExists,
                format!("document {id:?} exists; nothing was written"),
            )),
            Requirement::Absent => Ok(()),
            Requirement::Version(expected) => {
                let found = match self.version(id, changes)? {
                    Some(version) if version == expected => return Ok(()),
                    Some(version) => format!("has version {version}"),
                    None => "does not exist".to_owned(),
                };
                Err(Error::new(
                    ErrorKind::Aborted,
                    format!(
                        "document {id:?} {found}; expected is version {expected}. Nothing was \
                         written: read it again"
                    ),
                ))
            }
        }
    }

    fn version(&self, id: &str, changes: &Changes) -> Result<Option<Version>> {
        if let Some(staged) = self.staged(id, changes) {
            return Ok(staged.as_ref().map(Version::of));
        }
        let found = self.snapshot.find(id)?;
        found.map(|doc| self.snapshot.version(doc)).transpose()
    }

    fn exists(&self, id: &str, changes: &Changes) -> Result<bool> {
        match self.staged(id, changes) {
            Some(staged) => Ok(staged.is_some()),
            None => Ok(self.snapshot.find(id)?.is_some()),
        }
    }

    /// A document as this write or one before it in the group leaves it, if any changes it.
    fn staged<'s>(&'s self, id: &str, changes: &'s Changes) -> Option<&'s Option<Document>> {
        changes.documents.get(id).or_else(|| self.gathered.get(id))
    }

    fn current(&self, id: &str) -> Result<Option<Document>> {
        if let Some(change) = self.gathered.get(id) {
            return Ok(change.clone());
        }
        match self.snapshot.find(id)? {
            None => Ok(None),
            Some(doc) => {
                self.ensure_checked([doc])?;
                self.snapshot.whole(doc).map(Some)
            }
        }
    }

    /// Checks the segments of documents that are copied: damage must not get a new checksum.
    fn ensure_checked(&self, docs: impl IntoIterator<Item = u32>) -> Result<()> {
        let segment = |doc| self.snapshot.locate(doc).0.reader.segment_id();
        let segments: HashSet<_> = docs.into_iter().map(segment).collect();
        let mut segments = segments.into_iter();
        segments.try_for_each(|segment| self.shared.ensure_checked(segment))
    }

    fn rewrite(&self, change: Box<MatchingUpdate>) -> Result<Rewrite> {
        let docs = self.snapshot.documents_matching(&change.filter)?;
        self.ensure_checked(docs.iter().copied())?;
        Ok(Rewrite {
            snapshot: self.snapshot.clone(),
            docs,
            change,
        })
    }

    /// Ids a filter describes, of what is committed.
    fn matching_ids(&self, filter: &ResolvedFilter) -> Result<Vec<String>> {
        let docs = self.snapshot.documents_matching(filter)?;
        docs.into_iter().map(|doc| self.snapshot.id(doc)).collect()
    }
}

impl Changes {
    fn put(&mut self, document: Document) {
        self.written.upserted += 1;
        self.note(&document.id);
        self.documents.insert(document.id.clone(), Some(document));
    }

    fn delete(&mut self, id: String) {
        self.written.deleted += 1;
        self.note(&id);
        self.documents.insert(id, None);
    }

    fn note(&mut self, id: &str) {
        if Passages::may_be(id) {
            self.numbered.insert(id.to_owned());
        }
    }
}

fn updated(mut document: Document, update: Update) -> Result<Document> {
    document.text = update.text.or(document.text);
    document.vector = update.vector.or(document.vector);
    for (sae, codes) in update.codes.into_iter().enumerate() {
        if let Some(codes) = codes {
            *document.codes_mut(sae) = codes;
        }
    }
    change_attributes(&mut document, update.set, &update.remove)?;
    Ok(document)
}

fn change_attributes(
    document: &mut Document,
    set: impl IntoIterator<Item = (String, Value)>,
    remove: &[String],
) -> Result<()> {
    for name in remove {
        document.attributes.remove(name);
    }
    document.attributes.extend(set);
    validate_attribute_count(document.attributes.len())
        .within(&format!("attributes of document {:?}", document.id))
}
