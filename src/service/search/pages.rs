//! Pages of a search: its snapshot and the hits found so far, kept for a while.
//!
//! Hits that were returned stay what they were: a later page only adds hits behind them, so pages
//! neither repeat nor skip documents, and a token asked twice gives the same page.

use std::collections::{HashMap, HashSet};
use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use latentdb_index::query::{Hit, MAX_HITS, Plan};
use parking_lot::Mutex;

use super::resolved::ResolvedSearch;
use super::result::SearchOptions;
use crate::error::{Error, Result};

/// How long a session lives after it was last used.
const LIFETIME: Duration = Duration::from_secs(300);
/// Most sessions; the one unused for longest goes first.
const MAX_SESSIONS: usize = 1024;

/// A search that may have more pages.
pub(super) struct Session {
    pub search: ResolvedSearch,
    pub options: SearchOptions,
    /// Hits found so far, best first.
    pub hits: Vec<Hit>,
}

/// Which of a session's hits a page holds.
pub(super) struct Page {
    pub range: Range<usize>,
    /// True when there are hits behind it.
    pub more: bool,
}

impl Session {
    pub fn new(search: ResolvedSearch, hits: Vec<Hit>, options: SearchOptions) -> Self {
        Self {
            search,
            options,
            hits,
        }
    }

    pub fn page(&self, offset: usize) -> Page {
        let start = offset.min(self.hits.len());
        let end = (start + self.options.limit).min(self.hits.len());
        Page {
            range: start..end,
            more: end < self.hits.len(),
        }
    }

    /// Finds hits until the page at `offset` is full and one more is known, or there are no more.
    pub fn extend_to(&mut self, offset: usize) -> Result<Plan> {
        let wanted = (offset + self.options.limit + 1).min(MAX_HITS);
        if self.hits.len() >= wanted {
            return Ok(Plan::default());
        }
        // Twice as many, so that not every page runs the query again.
        let (found, plan) = self.search.execute((wanted * 2).min(MAX_HITS))?;
        let known: HashSet<u32> = self.hits.iter().map(|hit| hit.doc).collect();
        self.hits
            .extend(found.into_iter().filter(|hit| !known.contains(&hit.doc)));
        self.hits.truncate(MAX_HITS);
        Ok(plan)
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
