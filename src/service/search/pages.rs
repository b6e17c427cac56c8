//! Pages of a search: its snapshot and the hits found so far, kept for a while.
//!
//! Hits that were returned stay what they were: a later page only adds hits behind them, so pages
//! neither repeat nor skip documents, and a token asked twice gives the same page.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use latentdb_index::filter::{AttributeTest, Resolver as _};
use latentdb_index::query::{Groups, Hit, MAX_HITS, Plan};
use parking_lot::Mutex;
use roaring::RoaringBitmap;

use super::node::Node;
use super::resolved::ResolvedSearch;
use super::result::SearchOptions;
use crate::error::{Error, Result};

/// How long a session lives after it was last used.
const LIFETIME: Duration = Duration::from_secs(300);
/// Maximum sessions; the one unused for longest goes first.
const MAX_SESSIONS: usize = 1024;

/// A search that may have more pages.
pub(super) struct Session {
    /// The query as it was asked.
    pub node: Node,
    pub search: ResolvedSearch,
    pub options: SearchOptions,
    /// The last hits found, best first; at most [`MAX_HITS`] before the page that was read last.
    hits: Vec<Hit>,
    /// How many hits lie before them.
    before: usize,
    /// Documents found so far, those left out included.
    seen: RoaringBitmap,
    /// There are no more to be found.
    complete: bool,
    groups: Option<Groups>,
}

/// Hits of a page.
pub(super) struct Page<'a> {
    /// The hits, best first.
    pub hits: &'a [Hit],
    /// Their places among all hits, from 0.
    pub range: Range<usize>,
    /// True when there are hits behind it.
    pub more: bool,
}

impl Session {
    pub fn new(node: Node, search: ResolvedSearch, options: SearchOptions) -> Result<Self> {
        let mut groups = None;
        if let Some(group) = &options.group_by {
            let view = &search.view;
            view.consider(&group.attribute, &AttributeTest::Exists)?;
            groups = Some(Groups::new(&view.snapshot, &group.attribute, group.most)?);
        }
        Ok(Self {
            node,
            groups,
            search,
            options,
            hits: Vec::new(),
            before: 0,
            seen: RoaringBitmap::new(),
            complete: false,
        })
    }

    /// The page at `offset`, as far as [`Self::extend_to`] has found it.
    pub fn page(&self, offset: usize) -> Page<'_> {
        let found = self.before + self.hits.len();
        let start = offset.clamp(self.before, found);
        let end = (start + self.options.limit).min(found);
        Page {
            hits: &self.hits[start - self.before..end - self.before],
            range: start..end,
            more: end < found,
        }
    }

    /// Finds hits until the page at `offset` is full and one more is known, or there are no more.
    pub fn extend_to(&mut self, offset: usize) -> Result<Plan> {
        if offset < self.before {
            return Err(Error::precondition(format!(
                "the page lies more than {MAX_HITS} hits before the one that was read last, which \
                 is as far as pages are kept: search again from the first page"
            )));
        }
        let wanted = offset + self.options.limit + 1;
        let mut plan = Plan::default();
        let mut batch = wanted.saturating_sub(self.before + self.hits.len());
        while !self.complete && self.before + self.hits.len() < wanted {
            // Later twice as many, so that not every page runs the query again.
            if !self.seen.is_empty() {
                batch = (batch * 2).min(MAX_HITS);
            }
            let (found, how) = self.search.execute_after(&self.seen, batch)?;
            plan = how;
            self.complete = found.len() < batch;
            self.take(found)?;
        }
        self.forget_before(offset);
        Ok(plan)
    }

    fn take(&mut self, found: Vec<Hit>) -> Result<()> {
        for hit in found {
            if self
                .options
                .min_score
                .is_some_and(|least| hit.score < least)
            {
                self.complete = true;
                break;
            }
            self.seen.insert(hit.doc);
            let admitted = self.groups.as_mut().map(|groups| groups.admit(hit.doc));
            if admitted.transpose()?.unwrap_or(true) {
                self.hits.push(hit);
            }
        }
        Ok(())
    }

    fn forget_before(&mut self, offset: usize) {
        let found = self.before + self.hits.len();
        let keep_from = offset.min(found).saturating_sub(MAX_HITS);
        if keep_from > self.before {
            self.hits.drain(..keep_from - self.before);
            self.before = keep_from;
        }
    }

    /// The token of another page of the session that `token` is of.
    pub fn token(token: &str, offset: usize) -> Result<String> {
        let (session, _) = parse(token)?;
        Ok(format!("{session}.{offset}"))
    }
}

/// A session and when it was last used.
type Kept = (Arc<Mutex<Session>>, Instant);

/// The sessions by id.
#[derive(Default)]
pub(super) struct Pages {
    sessions: Mutex<HashMap<String, Kept>>,
}

impl Pages {
    /// Keeps a session and returns the token of its page at `offset`.
    pub fn keep(&self, session: Session, offset: usize) -> String {
        let mut sessions = self.sessions.lock();
        let now = Instant::now();
        sessions.retain(|_, (_, used)| now.duration_since(*used) < LIFETIME);
        if sessions.len() >= MAX_SESSIONS {
            let oldest = sessions.iter().min_by_key(|(_, (_, used))| *used);
            if let Some(id) = oldest.map(|(id, _)| id.clone()) {
                sessions.remove(&id);
            }
        }
        let id = uuid::Uuid::new_v4().simple().to_string();
        sessions.insert(id.clone(), (Arc::new(Mutex::new(session)), now));
        format!("{id}.{offset}")
    }

    /// The session of a token and the offset of its page.
    pub fn find(&self, token: &str) -> Result<(Arc<Mutex<Session>>, usize)> {
        let (id, offset) = parse(token)?;
        let mut sessions = self.sessions.lock();
        match sessions.get_mut(id) {
            Some((session, used)) if used.elapsed() < LIFETIME => {
                *used = Instant::now();
                Ok((session.clone(), offset))
            }
            _ => Err(Error::precondition(
                "the page token has expired (pages are kept for 5 minutes after they were last \
                 read): search again from the first page",
            )),
        }
    }

    /// Forgets the sessions of a collection, by its id.
    pub fn forget(&self, collection: &str) {
        self.sessions.lock().retain(|_, (session, _)| {
            session
                .try_lock()
                .is_none_or(|session| session.search.collection_id() != collection)
        });
    }
}

fn parse(token: &str) -> Result<(&str, usize)> {
    token
        .split_once('.')
        .and_then(|(id, offset)| Some((id, offset.parse().ok()?)))
        .ok_or_else(|| {
            Error::invalid(
                "page_token",
                format!(
                    "is {token:?}, no token of this server; accepted is the next_page_token of a \
                     response"
                ),
            )
        })
}
