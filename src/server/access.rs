//! Who may call what: a key for each call once there are keys, its role for the method, its
//! collections for the names in the message.

use std::future::Future;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::SystemTime;

use futures::future::BoxFuture;
use tonic::Status;
use tonic::body::Body;
use tower::{Layer, Service};

use crate::error::{Error, ErrorKind, Result};
use crate::keys::{Grant, Key, Role, SECRET_PREFIX, WatchedKeys};
use crate::tokens::WatchedTokens;

/// Methods that a key for reading may call.
const READING: &[&str] = &[
    "AdminService/GetServerInfo",
    "AnalysisService/Cluster",
    "AnalysisService/Correlate",
    "AnalysisService/Diff",
    "AnalysisService/Explain",
    "AnalysisService/Hypothesise",
    "AnalysisService/ListMaps",
    "AnalysisService/MatchLatents",
    "AnalysisService/NearDuplicates",
    "AnalysisService/PoorlyExplained",
    "AnalysisService/ReadMap",
    "AnalysisService/Trends",
    "CollectionService/ExportRecords",
    "CollectionService/GetCollection",
    "CollectionService/ListCollections",
    "CollectionService/ListSets",
    "DocumentService/Get",
    "DocumentService/Scroll",
    "LatentService/GetLatent",
    "LatentService/ListFamilies",
    "LatentService/ListLabels",
    "LatentService/ListLatents",
    "LatentService/SearchLabels",
    "LatentService/SplitLatents",
    "ModelService/DecodeLatents",
    "ModelService/DownloadSae",
    "ModelService/EncodeTexts",
    "ModelService/EncodeVectors",
    "ModelService/EvaluateSae",
    "ModelService/GetSae",
    "SearchService/Count",
    "SearchService/Facet",
    "SearchService/ListPresets",
    "SearchService/Search",
    "SearchService/SearchBatch",
    "SearchService/Steer",
    "SearchService/SteerSweep",
];

/// Methods that take a key for writing.
const WRITING: &[&str] = &[
    "AnalysisService/DropMap",
    "AnalysisService/MakeMap",
    "AnalysisService/MoveLatents",
    "CollectionService/DropSet",
    "CollectionService/SaveSet",
    "DocumentService/Delete",
    "DocumentService/Ingest",
    "DocumentService/Update",
    "DocumentService/Upsert",
    "LatentService/FindFamilies",
    "LatentService/LabelLatents",
    "LatentService/ScoreLabels",
    "LatentService/SetLabels",
    "LatentService/UseLabel",
    "SearchService/DropPreset",
    "SearchService/SavePreset",
];

/// The role that a method takes, by its path; `None` for a check of health, which everybody may ask.
fn role_of(path: &str) -> Option<Role> {
    // A watch holds a place among the requests, so it takes a key.
    if path == "/grpc.health.v1.Health/Check" {
        return None;
    }
    if path.starts_with("/grpc.") {
        return Some(Role::Read);
    }
    let method = path.strip_prefix("/latentdb.v1.").unwrap_or(path);
    // A method that is in neither list takes the most.
    Some(match method {
        method if READING.contains(&method) => Role::Read,
        method if WRITING.contains(&method) => Role::Write,
        _ => Role::Admin,
    })
}

/// Who calls.
#[derive(Clone, Debug)]
enum Caller {
    /// Anybody, while there are no keys.
    Anybody(Option<Arc<WatchedKeys>>),
    /// Somebody who may do something, while the proof holds.
    Holder(Grant, Proof),
}

/// What lets a holder in.
#[derive(Clone, Debug)]
enum Proof {
    /// A key, while it is among the keys.
    Key(Key, Arc<WatchedKeys>),
    /// A token, until it expires.
    Token(SystemTime),
}

impl Proof {
    /// The holder, as a message has it.
    fn of(&self, name: &str) -> String {
        match self {
            Self::Key(..) => format!("the key {name:?}"),
            Self::Token(_) => format!("the token of {name:?}"),
        }
    }
}

tokio::task_local! {
    static CALLER: Caller;
}

impl Caller {
    fn may(&self, role: Role, what: &str) -> Result<()> {
        match self {
            Self::Holder(grant, proof) if grant.role < role => Err(denied(format!(
                "{} has the role {}; {what} takes {role}",
                proof.of(&grant.name),
                grant.role
            ))),
            _ => Ok(()),
        }
    }

    /// Whether a call that was let in goes on: a stream may outlive its key.
    fn still(&self) -> Result<()> {
        let why = match self {
            Self::Anybody(None) => return Ok(()),
            Self::Anybody(Some(watched)) => match watched.current()? {
                None => return Ok(()),
                Some(_) => "keys are taken since",
            },
            Self::Holder(_, Proof::Key(key, watched)) => match watched.current()? {
                Some(keys) if keys.has(key) => return Ok(()),
                _ => "the key was revoked, or keys are taken since",
            },
            Self::Holder(_, Proof::Token(expires)) => match SystemTime::now() < *expires {
                true => return Ok(()),
                false => "the token has expired",
            },
        };
        Err(denied(why.to_owned()))
    }
}

fn denied(message: String) -> Error {
    Error::new(ErrorKind::PermissionDenied, message)
}

/// The caller of the request that this task answers. A task that knows none lets nobody in.
fn caller() -> Result<Caller> {
    CALLER
        .try_with(Clone::clone)
        .map_err(|_| Error::internal("a request is answered by a task that knows no caller"))
}

/// Refuses a collection that the caller's key is not for, whether or not it exists.
///
/// # Errors
/// `PermissionDenied`.
pub(super) fn check_collection(name: &str) -> Result<()> {
    checker()?(name)
}

/// [`check_collection`] for this caller, in whatever thread.
///
/// # Errors
/// `Internal` in a task that knows no caller.
pub(super) fn checker() -> Result<impl Fn(&str) -> Result<()> + Send + 'static> {
    let caller = caller()?;
    Ok(move |name: &str| {
        caller.still()?;
        match &caller {
            Caller::Holder(grant, proof) if !grant.is_for(name) => Err(denied(format!(
                "{} is not for the collection {name:?}",
                proof.of(&grant.name)
            ))),
            _ => Ok(()),
        }
    })
}

/// Whether the caller's key is for a collection.
pub(super) fn sees(name: &str) -> bool {
    check_collection(name).is_ok()
}

/// Refuses to name files and models of the server to callers that may not: they are no collection's.
///
/// # Errors
/// `PermissionDenied`.
pub(super) fn check_names_files(what: &str) -> Result<()> {
    let caller = caller()?;
    caller.may(Role::Admin, what)?;
    match caller {
        Caller::Holder(grant, proof) if !grant.collections.is_empty() => Err(denied(format!(
            "{} is for some collections; {what} takes one for all",
            proof.of(&grant.name)
        ))),
        _ => Ok(()),
    }
}

/// A part of a request that another task goes on with: the caller goes with it.
pub(super) fn carried<F: Future>(work: F) -> impl Future<Output = F::Output> {
    let caller = CALLER.try_with(Clone::clone).ok();
    async move {
        match caller {
            Some(caller) => CALLER.scope(caller, work).await,
            None => work.await,
        }
    }
}

/// Lets calls in by their keys or tokens.
#[derive(Clone)]
pub(super) struct Access {
    keys: Option<Arc<WatchedKeys>>,
    tokens: Option<Arc<WatchedTokens>>,
}

impl Access {
    /// With neither, everybody is let in.
    pub fn new(keys: Option<WatchedKeys>, tokens: Option<WatchedTokens>) -> Self {
        Self {
            keys: keys.map(Arc::new),
            tokens: tokens.map(Arc::new),
        }
    }

    fn caller<B>(&self, request: &http::Request<B>) -> Result<Caller, Status> {
        let Some(role) = role_of(request.uri().path()) else {
            return Ok(Caller::Anybody(None));
        };
        let mut known = None;
        if let Some(watched) = &self.keys {
            let keys = watched.current().map_err(|error| {
                tracing::error!(%error, "the keys cannot be read, so nobody is let in");
                Status::unavailable("the server cannot read its keys; its log says why")
            })?;
            known = keys.map(|keys| (keys, watched.clone()));
        }
        if known.is_none() && self.tokens.is_none() {
            return Ok(Caller::Anybody(self.keys.clone()));
        }
        let header = request.headers().get(http::header::AUTHORIZATION);
        let Some(header) = header else {
            return Err(self.unknown(match self.tokens {
                Some(_) => "this server takes calls with a key or a token",
                None => "this server takes calls with a key",
            }));
        };
        let text = header.to_str().unwrap_or_default();
        let secret = match text.split_once(' ') {
            Some((scheme, secret)) if scheme.eq_ignore_ascii_case("bearer") => secret.trim(),
            _ => return Err(self.unknown("the authorization is no bearer key")),
        };
        let caller = match (&self.tokens, known) {
            (Some(tokens), _) if !secret.starts_with(SECRET_PREFIX) => {
                let token = tokens.check(secret).map_err(|why| self.unknown(why))?;
                Caller::Holder(token.grant, Proof::Token(token.expires))
            }
            (_, Some((keys, watched))) => match keys.find(secret) {
                Some(key) => Caller::Holder(key.grant(), Proof::Key(key.clone(), watched)),
                None => return Err(self.unknown("the key is not known, or was revoked")),
            },
            _ => return Err(self.unknown("the key is not known, or was revoked")),
        };
        let method = request.uri().path().rsplit('/').next().unwrap_or_default();
        caller.may(role, method).map_err(super::status::status)?;
        if role > Role::Read
            && let Caller::Holder(grant, proof) = &caller
        {
            let by = proof.of(&grant.name);
            tracing::info!(target: "latentdb::audit", by, method, "a change is asked for");
        }
        Ok(caller)
    }

    /// Turns a call away whose caller is not known.
    fn unknown(&self, why: &str) -> Status {
        let what = match self.tokens {
            Some(_) => "KEY_OR_TOKEN",
            None => "KEY",
        };
        Status::unauthenticated(format!(
            "{why}; it is sent as `authorization: Bearer {what}` (--api-key, LATENTDB_API_KEY)"
        ))
    }
}

impl<S> Layer<S> for Access {
    type Service = Checked<S>;

    fn layer(&self, inner: S) -> Checked<S> {
        Checked {
            access: self.clone(),
            inner,
        }
    }
}

/// A service behind [`Access`].
#[derive(Clone)]
pub(super) struct Checked<S> {
    access: Access,
    inner: S,
}

impl<S> Service<http::Request<Body>> for Checked<S>
where
    S: Service<http::Request<Body>, Response = http::Response<Body>> + Clone + Send + 'static,
    S::Future: Send,
{
    type Response = http::Response<Body>;
    type Error = S::Error;
    type Future = BoxFuture<'static, Result<Self::Response, Self::Error>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        match self.access.caller(&request) {
            Ok(caller) => {
                // The one that was made ready is used; its clone is not yet.
                let clone = self.inner.clone();
                let mut inner = std::mem::replace(&mut self.inner, clone);
                Box::pin(CALLER.scope(caller, async move { inner.call(request).await }))
            }
            Err(status) => Box::pin(async move { Ok(status.into_http()) }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_method_is_in_one_list_or_takes_the_most() {
        let pool = prost_reflect::DescriptorPool::decode(latentdb_proto::DESCRIPTORS).unwrap();
        let mut known = 0;
        for service in pool
            .services()
            .filter(|own| own.package_name() == "latentdb.v1")
        {
            for method in service.methods() {
                let name = format!("{}/{}", service.name(), method.name());
                let lists = [READING, WRITING].map(|list| list.contains(&name.as_str()));
                assert!(lists != [true, true], "{name}");
                known += usize::from(lists != [false, false]);
            }
        }
        assert_eq!(
            known,
            READING.len() + WRITING.len(),
            "a list names what is no method"
        );
        assert_eq!(role_of("/latentdb.v1.SearchService/New"), Some(Role::Admin));
        assert_eq!(role_of("/grpc.health.v1.Health/Check"), None);
        assert_eq!(role_of("/grpc.health.v1.Health/Watch"), Some(Role::Read));
    }
}
