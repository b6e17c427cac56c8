//! The one writer of a collection: concurrent writes are gathered into one commit, made durable,
//! made visible, and then acknowledged together.
//!
//! **Invariant:** an acknowledged write is on disk and visible. The commit is the log: tantivy
//! renames its manifest, we sync the directory behind it, and only then answer.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, SyncSender, channel, sync_channel};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tantivy::index::{SegmentId, SegmentMeta};
use tantivy::merge_policy::LogMergePolicy;
use tantivy::{FutureResult, IndexWriter, Term};

use super::operation::{Operation, StreamPosition, Written};
use super::plan::{Planner, Rewrite};
use super::positions::CommitPayload;
use super::shared::Shared;
use crate::document::Document;
use crate::error::{Error, ErrorKind, Result};
use crate::priority::give_way;
use crate::snapshot::Snapshot;

/// How long a commit waits for more writes to join it.
const GATHER: Duration = Duration::from_millis(2);
/// A commit is not filled beyond this many bytes of documents.
const GATHER_BYTES: usize = 32 << 20;
/// Writes waiting to be gathered; a sender beyond it blocks.
const QUEUE: usize = 64;
/// Memory of tantivy's indexing thread before it spills a segment.
const INDEXING_BYTES: usize = 256 << 20;
/// Without a message for this long, tantivy's writer is closed, with its threads and its memory, until one
/// comes: a server has many collections, and most rest.
const IDLE: Duration = match cfg!(test) {
    true => Duration::from_millis(20),
    false => Duration::from_secs(30),
};
/// Times that a merge of everything is begun, and the pause after one that could not be.
const MERGE_ATTEMPTS: usize = 200;
const MERGE_PAUSE: Duration = Duration::from_millis(10);

/// A request to the writer thread.
struct Write {
    operations: Vec<Operation>,
    position: Option<StreamPosition>,
    reply: Sender<Result<Written>>,
}

enum Message {
    Write(Write),
    /// Begin to merge everything into one segment, where there is something to merge.
    MergeAll(Sender<Result<Option<Merging>>>),
    /// Make what merges have left durable, and show it.
    Settle(Sender<Result<()>>),
    /// Begin to merge these segments.
    MergeThese(Vec<SegmentId>),
    /// Resume from the positions of an older generation.
    Adopt(CommitPayload, Sender<Result<()>>),
}

/// A merge of everything that is under way in tantivy's threads. The writer stays open until it is dropped.
struct Merging {
    result: FutureResult<Option<SegmentMeta>>,
    _under_way: Arc<()>,
}

/// Sends writes to the thread that owns tantivy's writer. Dropping it ends the thread after what
/// is queued.
pub(super) struct WriterHandle {
    queue: Option<Arc<SyncSender<Message>>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl WriterHandle {
    pub fn start(shared: Arc<Shared>) -> Result<Self> {
        let writer = WriterThread {
            payload: shared.stored_payload()?,
            writer: None,
            shared,
            merging: Weak::new(),
        };
        let (queue, messages) = sync_channel(QUEUE);
        let thread = std::thread::Builder::new()
            .name("latentdb-writer".into())
            .spawn(move || writer.run(&messages))?;
        Ok(Self {
            queue: Some(Arc::new(queue)),
            thread: Some(thread),
        })
    }

    /// `queued` is called when the write has its place among the others.
    pub fn write(
        &self,
        operations: Vec<Operation>,
        position: Option<StreamPosition>,
        queued: impl FnOnce(),
    ) -> Result<Written> {
        let (reply, answer) = channel();
        self.send(Message::Write(Write {
            operations,
            position,
            reply,
        }))?;
        queued();
        answer.recv().map_err(|_| failed())?
    }

    /// Takes over the stream positions and the commit number of an older generation.
    pub fn adopt(&self, older: CommitPayload) -> Result<()> {
        let (reply, answer) = channel();
        self.send(Message::Adopt(older, reply))?;
        answer.recv().map_err(|_| failed())?
    }

    /// Merges everything into one segment and waits for that, while writes go on.
    pub fn merge(&self, shared: &Shared) -> Result<()> {
        for left in (0..MERGE_ATTEMPTS).rev() {
            let (reply, answer) = channel();
            self.send(Message::MergeAll(reply))?;
            let Some(merging) = answer.recv().map_err(|_| failed())?? else {
                break;
            };
            match merging.result.wait() {
                Ok(_) => break,
                Err(error) => {
                    shared.damage.refuse()?;
                    if left == 0 {
                        return Err(shared.storage.explain(error.into()));
                    }
                    // A merge that the policy began before has taken some of these segments; the
                    // manifest will say so in a moment.
                    tracing::debug!(%error, "a merge is begun again");
                    std::thread::sleep(MERGE_PAUSE);
                }
            }
        }
        let (reply, answer) = channel();
        self.send(Message::Settle(reply))?;
        answer.recv().map_err(|_| failed())?
    }

    /// Asks for a merge where the queue has a place; background work never waits for it.
    pub fn merge_these(&self) -> impl Fn(Vec<SegmentId>) + Send + 'static {
        // Weak, so that the background thread does not keep the writer thread alive.
        let queue = self.queue.as_ref().map(Arc::downgrade);
        move |segments| {
            if let Some(queue) = queue.as_ref().and_then(Weak::upgrade) {
                let _ = queue.try_send(Message::MergeThese(segments));
            }
        }
    }

    fn send(&self, message: Message) -> Result<()> {
        self.queue
            .as_ref()
            .and_then(|queue| queue.send(message).ok())
            .ok_or_else(closing)
    }
}

impl Drop for WriterHandle {
    fn drop(&mut self) {
        self.queue = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn closing() -> Error {
    Error::new(
        ErrorKind::Unavailable,
        "the collection is closing; no write was made",
    )
}

fn failed() -> Error {
    Error::new(
        ErrorKind::Unavailable,
        "the writer failed in the middle of this write, which was made whole or not at all, and is \
         started again: send the write again with its place in its stream, by which it is recognised",
    )
}

/// Eight small segments become one; large ones are left to the graphs built over them.
fn merge_policy() -> LogMergePolicy {
    let mut policy = LogMergePolicy::default();
    policy.set_min_num_segments(8);
    policy.set_min_layer_size(10_000);
    policy.set_max_docs_before_merge(2_000_000);
    policy.set_del_docs_ratio_before_merge(0.3);
    policy
}

struct WriterThread {
    /// `None` before the first message, after a failure and at rest, until it is opened again.
    writer: Option<IndexWriter>,
    shared: Arc<Shared>,
    /// That of the last commit, and what is gathered for the next.
    payload: CommitPayload,
    /// Held by merges of everything that are under way.
    merging: Weak<()>,
}

/// The answer a gathered write will get if its commit succeeds.
type Pending = Vec<(Sender<Result<Written>>, Written)>;

impl WriterThread {
    fn run(mut self, messages: &Receiver<Message>) {
        give_way();
        loop {
            let message = match messages.recv_timeout(IDLE) {
                Ok(message) => message,
                Err(RecvTimeoutError::Timeout) => {
                    // Closing waits for merges, and writes would wait for that.
                    if self.merging.strong_count() == 0 {
                        self.rest();
                    }
                    continue;
                }
                Err(RecvTimeoutError::Disconnected) => break,
            };
            let handled = catch_unwind(AssertUnwindSafe(|| match message {
                Message::Write(write) => {
                    let follower = self.commit_group(write, messages);
                    if let Some(message) = follower {
                        self.handle(message);
                    }
                }
                message => self.handle(message),
            }));
            if handled.is_err() {
                tracing::error!("the writer of a collection failed and is started again");
                self.writer = None;
            }
        }
        self.rest();
    }

    /// Closes the writer, after its merges.
    fn rest(&mut self) {
        if let Some(writer) = self.writer.take() {
            let _ = writer.wait_merging_threads();
        }
    }

    /// The writer, opened from the last commit where it is not open.
    fn recover(&mut self) -> Result<&mut IndexWriter> {
        let writer = match self.writer.take() {
            Some(writer) => writer,
            None => {
                let index = &self.shared.index;
                let writer: IndexWriter = index.writer_with_num_threads(1, INDEXING_BYTES)?;
                writer.set_merge_policy(Box::new(merge_policy()));
                // The first stamp of a new writer is that of the last commit. A delete with it would
                // count as part of that commit: a merge begun before the next one passes over it in
                // segments whose deletes the commit wrote, and the merged segment has the document
                // again. No operations take a stamp too.
                writer.run([])?;
                self.payload = self.shared.stored_payload()?;
                writer
            }
        };
        Ok(self.writer.insert(writer))
    }

    fn handle(&mut self, message: Message) {
        match message {
            Message::Write(write) => {
                let (_none, empty) = sync_channel(0);
                self.commit_group(write, &empty);
            }
            Message::MergeAll(reply) => {
                let _ = reply.send(self.begin_merge_all());
            }
            Message::Settle(reply) => {
                let settled = self.sync().and_then(|()| self.shared.refresh());
                let _ = reply.send(settled);
            }
            // The merge goes on in tantivy's threads; the background thread sees its result.
            Message::MergeThese(segments) => match self.recover() {
                Ok(writer) => drop(writer.merge(&segments)),
                Err(error) => tracing::warn!(%error, "segments are not merged"),
            },
            Message::Adopt(older, reply) => {
                let recovered = self.recover().map(drop);
                self.payload.adopt(&older);
                let committed = recovered.and_then(|()| self.make_commit(&mut Group::default()));
                let _ = reply.send(committed);
            }
        }
    }

    /// Applies `first` and what arrives while it waits, commits, and answers all. A message that
    /// does not belong into the group is handed back.
    fn commit_group(&mut self, first: Write, messages: &Receiver<Message>) -> Option<Message> {
        let mut group = Group::default();
        let mut pending = Pending::new();
        let deadline = Instant::now() + GATHER;
        let mut next = Some(Message::Write(first));
        let mut follower = None;
        loop {
            match next.take() {
                Some(Message::Write(write)) => self.take_in(write, &mut group, &mut pending),
                other => {
                    follower = other;
                    break;
                }
            }
            if group.bytes >= GATHER_BYTES {
                break;
            }
            next = match messages.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(message) => Some(message),
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => break,
            };
        }
        self.commit(group, pending);
        follower
    }

    /// Applies one write; one that fails is answered at once and leaves nothing behind.
    fn take_in(&mut self, write: Write, group: &mut Group, pending: &mut Pending) {
        if let Err(error) = self.recover() {
            let _ = write.reply.send(Err(error));
            return;
        }
        let known = write.position.as_ref();
        if let Some(sequence) = known.and_then(|position| self.payload.written(position)) {
            // Written by an earlier commit, or by this one: answered when this one is durable.
            let written = Written {
                sequence,
                duplicate: true,
                ..Written::default()
            };
            pending.push((write.reply, written));
            return;
        }
        let seconds = now_seconds();
        let admitted = known.map_or(Ok(()), |position| self.payload.admit(position, seconds));
        if let Err(error) = admitted {
            let _ = write.reply.send(Err(error));
            return;
        }
        let reads_matches = |operation: &Operation| {
            matches!(
                operation,
                Operation::DeleteMatching(_) | Operation::UpdateMatching(_)
            )
        };
        if !group.documents.is_empty() && write.operations.iter().any(reads_matches) {
            // What was gathered is known to filters after a commit, with which it is answered.
            self.commit(std::mem::take(group), std::mem::take(pending));
        }
        let planned = self.snapshot_for(&write.operations).and_then(|snapshot| {
            let planner = Planner {
                shared: &self.shared,
                snapshot,
                gathered: &group.documents,
            };
            planner.plan(write.operations)
        });
        let changes = match planned {
            Ok(changes) => changes,
            Err(error) => {
                let _ = write.reply.send(Err(error));
                return;
            }
        };
        self.payload.count_cut(changes.cut_texts);
        let mut written = changes.written;
        written.sequence = self.payload.sequence + 1;
        for (id, change) in changes.documents {
            if let Err(error) = self.write_one(&id, change.as_ref()) {
                group.failure.get_or_insert(error);
            }
            group.bytes += change.as_ref().map_or(0, size);
            group.documents.insert(id, change);
        }
        if let Some(rewrite) = &changes.rewrite
            && let Err(error) = self.rewrite(rewrite, group)
        {
            group.failure.get_or_insert(error);
        }
        if let Some(position) = write.position {
            self.payload.note(position, written.sequence, seconds);
            group.positioned = true;
        }
        pending.push((write.reply, written));
        if changes.rewrite.is_some() {
            // What it leaves of its documents is not kept for the writes that follow.
            self.commit(std::mem::take(group), std::mem::take(pending));
        }
    }

    /// The snapshot that operations are planned on. Those that read documents must see the last
    /// commit, which may be durable and not be shown yet.
    fn snapshot_for(&self, operations: &[Operation]) -> Result<Arc<Snapshot>> {
        let snapshot = self.shared.snapshot();
        let only_replaces =
            |one: &Operation| matches!(one, Operation::Upsert(_) | Operation::CountCut(_));
        if snapshot.sequence() == self.payload.sequence || operations.iter().all(only_replaces) {
            return Ok(snapshot);
        }
        self.shared.refresh()?;
        Ok(self.shared.snapshot())
    }

    /// Writes what a change of attributes makes of stored documents.
    fn rewrite(&mut self, rewrite: &Rewrite, group: &mut Group) -> Result<()> {
        for document in rewrite.documents() {
            let document = document?;
            self.write_one(&document.id, Some(&document))?;
            group.rewritten.push(document.id);
        }
        Ok(())
    }

    fn write_one(&mut self, id: &str, change: Option<&Document>) -> Result<()> {
        let fields = &self.shared.fields;
        let term = Term::from_field_text(fields.id, id);
        let encoded = change.map(|document| fields.encode(document));
        let writer = self.recover()?;
        writer.delete_term(term);
        if let Some(encoded) = encoded {
            writer.add_document(encoded)?;
        }
        Ok(())
    }

    fn commit(&mut self, mut group: Group, pending: Pending) {
        if pending.is_empty() {
            return;
        }
        let committed = match group.failure.take() {
            Some(error) => Err(self.give_up(error)),
            // Retried batches, and deletes of what is not there, have nothing to commit. A stream's
            // new position is committed whatever its batch did, so that a retry is recognised.
            None if group.is_empty() && !group.positioned && self.payload.sequence > 0 => {
                self.sync()
            }
            None => self.make_commit(&mut group),
        };
        for (reply, mut written) in pending {
            // Without a commit of its own, what was asked is so since the last one.
            written.sequence = written.sequence.min(self.payload.sequence);
            let answer = match &committed {
                Ok(()) => Ok(written),
                Err(error) => Err(Error::new(error.kind(), error.to_string())),
            };
            let _ = reply.send(answer);
        }
    }

    /// Commits what is gathered, makes it durable and shows it.
    fn make_commit(&mut self, group: &mut Group) -> Result<()> {
        let mut payload = self.payload.clone();
        payload.sequence += 1;
        let sequence = payload.sequence;
        match self.write_commit(&payload) {
            Ok(()) => self.payload = payload,
            Err(error) => {
                let failure = self.give_up(error);
                // The manifest says whether the commit was made.
                if self.payload.sequence < sequence {
                    return Err(failure);
                }
            }
        }
        let durable = self.sync();
        if let Err(error) = self.shared.refresh() {
            // The commit stands. The background thread goes on trying to show it.
            tracing::error!(%error, "a commit is written but not visible yet");
        }
        // After the snapshot: who takes these ids must find the documents as they are now.
        let changed = group.documents.keys().chain(&group.rewritten);
        self.shared.note_changes(changed);
        *group = Group::default();
        durable
    }

    fn write_commit(&mut self, payload: &CommitPayload) -> Result<()> {
        let text = serde_json::to_string(payload)
            .map_err(|error| Error::internal("the commit payload").with_source(error))?;
        let mut prepared = self.recover()?.prepare_commit()?;
        prepared.set_payload(&text);
        prepared.commit()?;
        Ok(())
    }

    /// Makes the manifest that was last written outlast a power cut.
    fn sync(&self) -> Result<()> {
        let synced = self.shared.storage.sync_directory(&self.shared.directory);
        synced.map_err(|error| {
            Error::internal(format!(
                "the write was made, but {} could not be synced: a power cut may take it back",
                self.shared.directory.display()
            ))
            .with_source(error)
        })
    }

    /// Takes back what was staged, and the stream positions with it; returns what the writes that
    /// wait are told.
    fn give_up(&mut self, error: Error) -> Error {
        self.writer = None;
        let full = self.shared.storage.full();
        if let Err(unknown) = self.recover() {
            tracing::error!(error = %unknown, "a writer could not be opened again");
            return Error::internal(format!(
                "the commit failed, and the index cannot be read to say whether it was made: {error}"
            ))
            .with_source(unknown);
        }
        if let Err(damaged) = self.shared.damage.refuse() {
            return damaged;
        }
        let error = full.unwrap_or(error);
        Error::new(
            error.kind(),
            format!("the commit failed and nothing of it was written: {error}"),
        )
    }

    fn begin_merge_all(&mut self) -> Result<Option<Merging>> {
        let segments = self.shared.index.searchable_segment_metas()?;
        if segments.len() < 2 && segments.iter().all(|part| !part.has_deletes()) {
            return Ok(None);
        }
        let ids: Vec<SegmentId> = segments.iter().map(|part| part.id()).collect();
        let under_way = self.merging.upgrade().unwrap_or_default();
        self.merging = Arc::downgrade(&under_way);
        Ok(Some(Merging {
            result: self.recover()?.merge(&ids),
            _under_way: under_way,
        }))
    }
}

/// Seconds since the epoch.
fn now_seconds() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs())
}

/// What a commit under way holds.
#[derive(Default)]
struct Group {
    bytes: usize,
    /// A stream has advanced.
    positioned: bool,
    /// Documents as the group leaves them; `None` is deleted.
    documents: BTreeMap<String, Option<Document>>,
    /// Ids of documents whose attributes an update by filter changed; it is the last write.
    rewritten: Vec<String>,
    failure: Option<Error>,
}

impl Group {
    fn is_empty(&self) -> bool {
        self.documents.is_empty() && self.rewritten.is_empty()
    }
}

fn size(document: &Document) -> usize {
    let codes = document.codes.iter();
    let codes = codes.map(|codes| codes.latents.len() * 8 + codes.positions.len() * 5);
    let vector = document.vector.as_ref();
    document.text.as_ref().map_or(0, String::len)
        + vector.map_or(0, |vector| vector.len() * 4)
        + codes.sum::<usize>()
        + 256
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collection::Collection;
    use crate::filter::Filter;

    #[test]
    fn a_writer_at_rest_is_opened_by_the_next_write() {
        let directory = tempfile::tempdir().unwrap();
        let collection = Collection::open(directory.path()).unwrap();
        let lock = directory.path().join("index/.tantivy-writer.lock");
        let is_open = || {
            let file = std::fs::OpenOptions::new().write(true).open(&lock);
            file.is_ok_and(|file| file.try_lock().is_err())
        };
        assert!(!is_open(), "nothing was written yet");
        for round in 0..5_u32 {
            let kept = Document::new(format!("kept{round}"));
            let replaced = Document::new("replaced");
            let writes = [kept, replaced].map(|document| Operation::Upsert(Box::new(document)));
            let written = collection.write(writes.to_vec(), None).unwrap();
            assert_eq!(written.sequence, u64::from(round) + 1);
            let until = Instant::now() + Duration::from_secs(20);
            while is_open() && Instant::now() < until {
                std::thread::sleep(IDLE);
            }
            assert!(!is_open(), "it rests");
            let count = collection.snapshot().count(&Filter::All).unwrap();
            assert_eq!(count, u64::from(round) + 2);
        }
        drop(collection);
        let collection = Collection::open(directory.path()).unwrap();
        assert_eq!(collection.snapshot().count(&Filter::All).unwrap(), 6);
    }
}
