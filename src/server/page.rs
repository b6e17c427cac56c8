//! The page: the files of `src/web` and the guide, served to browsers on the port of gRPC, and what a
//! browser may ask of gRPC-Web.

use std::collections::HashMap;
use std::future::{Ready, ready};
use std::io::Write as _;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use futures::future::Either;
use http::header::{
    ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG,
    HOST, HeaderName, HeaderValue, IF_NONE_MATCH, ORIGIN, REFERRER_POLICY, VARY,
    X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderMap, Method, Request, Response, StatusCode, Uri};
use http_body_util::Full;
use parking_lot::Mutex;
use rust_embed::{Embed, EmbeddedFile};
use tonic::body::Body;
use tower::{Layer, Service};

/// Everything comes from here, nothing is made code of, nobody frames it.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: \
                      blob:; connect-src 'self'; font-src 'self'; manifest-src 'self'; base-uri 'none'; \
                      form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; \
                      trusted-types 'none'";

/// The page's own files. A debug build reads them from their folder at each request.
#[derive(Embed)]
#[folder = "src/web"]
#[include = "*.html"]
#[include = "*.css"]
#[include = "*.js"]
#[include = "*.svg"]
#[include = "*.webmanifest"]
#[include = "*.txt"]
#[exclude = "tools/*"]
struct Assets;

/// The guide, which the page renders.
#[derive(Embed)]
#[folder = "src/guide"]
#[include = "*.md"]
struct Guide;

fn asset(path: &str) -> Option<EmbeddedFile> {
    match path.trim_start_matches('/') {
        "" => Assets::get("index.html"),
        path => match path.strip_prefix("guide/") {
            Some(page) => Guide::get(page),
            None => Assets::get(path),
        },
    }
}

/// Answers what browsers ask for; the rest passes through.
#[derive(Clone)]
pub(super) struct Page {
    /// Whether browsers are answered.
    on: bool,
    /// Whether only this machine can connect, so that a foreign name for it is a trick.
    local: bool,
    /// Compressed files by their hash.
    compressed: Arc<Mutex<HashMap<[u8; 32], Bytes>>>,
}

impl Page {
    pub fn new(on: bool, local: bool) -> Self {
        Self {
            on,
            local,
            compressed: Arc::default(),
        }
    }

    /// The answer to a request of a browser that goes no further.
    fn answer<B>(&self, request: &Request<B>) -> Option<Response<Body>> {
        let web = is_grpc_web(request.headers());
        match *request.method() {
            Method::GET | Method::HEAD if self.on => Some(self.file(request)),
            _ if web && !self.on => Some(text(
                StatusCode::NOT_FOUND,
                "this server answers no browsers (--no-page)",
            )),
            _ if web => self.refusal(request),
            _ => None,
        }
    }

    /// Browsers send calls for the page of this server alone: a page of another origin may not read
    /// what lies here, nor one whose name was made to lead here (DNS rebinding).
    fn refusal<B>(&self, request: &Request<B>) -> Option<Response<Body>> {
        let host = host(request);
        if self.local && !host.as_deref().is_some_and(names_this_machine) {
            return Some(text(
                StatusCode::FORBIDDEN,
                "this server is reached as localhost, 127.0.0.1 or [::1]",
            ));
        }
        let origin = request.headers().get(ORIGIN)?.to_str().unwrap_or_default();
        let origin = origin.parse::<Uri>().ok();
        let from = origin
            .as_ref()
            .and_then(Uri::authority)
            .map(http::uri::Authority::as_str);
        match from.is_some() && from == host.as_deref() {
            true => None,
            false => Some(text(
                StatusCode::FORBIDDEN,
                "calls of other origins are not answered",
            )),
        }
    }

    fn file<B>(&self, request: &Request<B>) -> Response<Body> {
        let Some(file) = asset(request.uri().path()) else {
            return text(StatusCode::NOT_FOUND, "no such page; / is the first");
        };
        let hash = file.metadata.sha256_hash();
        let tag: String = hash[..16]
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        let tag = format!("\"{tag}\"");
        let headers = request.headers();
        let known = headers
            .get(IF_NONE_MATCH)
            .and_then(|tags| tags.to_str().ok())
            .is_some_and(|tags| tags.contains(&tag));
        let mut response = Response::builder()
            .header(ETAG, &tag)
            // Asked for again each time, and not sent again where it is the same.
            .header(CACHE_CONTROL, "no-cache")
            .header(VARY, ACCEPT_ENCODING.as_str());
        if known {
            return finish(response.status(StatusCode::NOT_MODIFIED), Bytes::new());
        }
        response = response.header(CONTENT_TYPE, content_type(request.uri().path()));
        let body = match accepts_gzip(headers) {
            true => {
                response = response.header(CONTENT_ENCODING, "gzip");
                self.gzipped(hash, &file.data)
            }
            false => Bytes::from(file.data.into_owned()),
        };
        match *request.method() {
            Method::HEAD => finish(response, Bytes::new()),
            _ => finish(response, body),
        }
    }

    fn gzipped(&self, hash: [u8; 32], data: &[u8]) -> Bytes {
        if let Some(known) = self.compressed.lock().get(&hash) {
            return known.clone();
        }
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        // Writing to memory does not fail.
        let bytes = match encoder.write_all(data).and_then(|()| encoder.finish()) {
            Ok(bytes) => Bytes::from(bytes),
            Err(error) => {
                tracing::error!(%error, "a file of the page is not compressed");
                Bytes::new()
            }
        };
        self.compressed.lock().insert(hash, bytes.clone());
        bytes
    }
}

fn is_grpc_web(headers: &HeaderMap) -> bool {
    headers
        .get(CONTENT_TYPE)
        .is_some_and(|kind| kind.as_bytes().starts_with(b"application/grpc-web"))
}

/// The name that the client calls this server by, with the port.
fn host<B>(request: &Request<B>) -> Option<String> {
    let header = request
        .headers()
        .get(HOST)
        .and_then(|host| host.to_str().ok());
    let authority = request.uri().authority().map(http::uri::Authority::as_str);
    authority.or(header).map(str::to_owned)
}

fn names_this_machine(host: &str) -> bool {
    let Ok(authority) = host.parse::<http::uri::Authority>() else {
        return false;
    };
    let name = authority.host();
    let address = name.trim_start_matches('[').trim_end_matches(']');
    name.eq_ignore_ascii_case("localhost") || address.parse::<std::net::IpAddr>().is_ok()
}

fn accepts_gzip(headers: &HeaderMap) -> bool {
    headers
        .get(ACCEPT_ENCODING)
        .and_then(|accepted| accepted.to_str().ok())
        .is_some_and(|accepted| {
            accepted
                .split(',')
                .any(|coding| coding.split(';').next().unwrap_or_default().trim() == "gzip")
        })
}

fn content_type(path: &str) -> &'static str {
    match path.rsplit_once('.').map(|(_, ending)| ending) {
        Some("js") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("svg") => "image/svg+xml",
        Some("md" | "txt") => "text/plain; charset=utf-8",
        Some("webmanifest") => "application/manifest+json",
        _ => "text/html; charset=utf-8",
    }
}

fn text(status: StatusCode, message: &'static str) -> Response<Body> {
    let response = Response::builder()
        .status(status)
        .header(CONTENT_TYPE, "text/plain; charset=utf-8");
    finish(response, Bytes::from_static(message.as_bytes()))
}

fn finish(response: http::response::Builder, body: Bytes) -> Response<Body> {
    let mut response = response
        .body(Body::new(Full::new(body)))
        .unwrap_or_default();
    let fixed: [(HeaderName, &'static str); 3] = [
        (CONTENT_SECURITY_POLICY, POLICY),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (REFERRER_POLICY, "no-referrer"),
    ];
    for (name, value) in fixed {
        response
            .headers_mut()
            .insert(name, HeaderValue::from_static(value));
    }
    response
}

impl<S> Layer<S> for Page {
    type Service = Paged<S>;

    fn layer(&self, inner: S) -> Paged<S> {
        Paged {
            page: self.clone(),
            inner,
        }
    }
}

/// A service behind [`Page`].
#[derive(Clone)]
pub(super) struct Paged<S> {
    page: Page,
    inner: S,
}

impl<S, B> Service<Request<B>> for Paged<S>
where
    S: Service<Request<B>, Response = Response<Body>>,
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = Either<S::Future, Ready<Result<Response<Body>, S::Error>>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        match self.page.answer(&request) {
            Some(answer) => Either::Right(ready(Ok(answer))),
            None => Either::Left(self.inner.call(request)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(method: Method, path: &str, headers: &[(HeaderName, &str)]) -> Request<()> {
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(name, *value);
        }
        request.body(()).unwrap()
    }

    fn status(page: &Page, request: &Request<()>) -> Option<StatusCode> {
        page.answer(request).map(|answer| answer.status())
    }

    #[test]
    fn files_are_served_and_not_sent_again() {
        let page = Page::new(true, true);
        let first = page.answer(&asked(Method::GET, "/", &[])).unwrap();
        assert_eq!(first.status(), StatusCode::OK);
        assert_eq!(first.headers()[CONTENT_TYPE], "text/html; charset=utf-8");
        assert_eq!(first.headers()[CONTENT_SECURITY_POLICY], POLICY);
        let tag = first.headers()[ETAG].to_str().unwrap().to_owned();
        let again = asked(Method::GET, "/", &[(IF_NONE_MATCH, &tag)]);
        assert_eq!(status(&page, &again), Some(StatusCode::NOT_MODIFIED));
        let zipped = asked(Method::GET, "/index.html", &[(ACCEPT_ENCODING, "br, gzip")]);
        let zipped = page.answer(&zipped).unwrap();
        assert_eq!(zipped.headers()[CONTENT_ENCODING], "gzip");
        for path in [
            "/none",
            "/../Cargo.toml",
            "/guide/../mod.rs",
            "/guide/mod.rs",
        ] {
            let request = asked(Method::GET, path, &[]);
            assert_eq!(
                status(&page, &request),
                Some(StatusCode::NOT_FOUND),
                "{path}"
            );
        }
        let guide = page
            .answer(&asked(Method::GET, "/guide/concepts.md", &[]))
            .unwrap();
        assert_eq!(guide.status(), StatusCode::OK);
    }

    #[test]
    fn calls_of_other_origins_are_refused() {
        let page = Page::new(true, true);
        let call = |host: &str, origin: Option<&str>| {
            let mut headers = vec![(CONTENT_TYPE, "application/grpc-web+proto"), (HOST, host)];
            headers.extend(origin.map(|origin| (ORIGIN, origin)));
            status(
                &page,
                &asked(Method::POST, "/latentdb.v1.SearchService/Search", &headers),
            )
        };
        assert_eq!(call("127.0.0.1:7700", Some("http://127.0.0.1:7700")), None);
        assert_eq!(call("localhost:7700", None), None);
        let forbidden = Some(StatusCode::FORBIDDEN);
        assert_eq!(
            call("127.0.0.1:7700", Some("http://127.0.0.1:8000")),
            forbidden
        );
        assert_eq!(call("127.0.0.1:7700", Some("null")), forbidden);
        assert_eq!(
            call("rebound.example:7700", Some("http://rebound.example:7700")),
            forbidden
        );
    }

    #[test]
    fn without_the_page_browsers_are_not_answered() {
        let page = Page::new(false, true);
        assert_eq!(status(&page, &asked(Method::GET, "/", &[])), None);
        let call = [(CONTENT_TYPE, "application/grpc-web+proto")];
        let call = asked(Method::POST, "/latentdb.v1.SearchService/Search", &call);
        assert_eq!(status(&page, &call), Some(StatusCode::NOT_FOUND));
        let grpc = asked(Method::POST, "/x", &[(CONTENT_TYPE, "application/grpc")]);
        assert_eq!(status(&page, &grpc), None);
    }
}
