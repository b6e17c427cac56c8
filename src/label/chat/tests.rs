//! Against an HTTP server on a socket, which says what the test tells it to.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;

use super::*;
use crate::label::Selector as _;

/// What the server does with one request.
#[derive(Clone)]
enum Act {
    /// Answers with a status, headers and a body.
    Say(u16, &'static str, String),
    /// Closes the connection.
    Hang,
    /// Says nothing until the client has gone.
    Stall,
}

/// A request as the server saw it.
struct Seen {
    head: String,
    body: serde_json::Value,
}

struct Endpoint {
    url: String,
    seen: mpsc::Receiver<Seen>,
    serving: JoinHandle<usize>,
}

/// Serves one act per request, over as many connections as the client makes; ends after the last.
/// The thread gives the number of connections.
fn serve(acts: Vec<Act>) -> Endpoint {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/v1", listener.local_addr().unwrap());
    let (sender, seen) = mpsc::channel();
    let serving = std::thread::spawn(move || {
        let mut acts = acts.into_iter().peekable();
        let mut connections = 0;
        while acts.peek().is_some() {
            let (mut stream, _) = listener.accept().unwrap();
            connections += 1;
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            while acts.peek().is_some() {
                let Some(request) = read_request(&mut reader) else {
                    break;
                };
                sender.send(request).unwrap();
                match acts.next().unwrap() {
                    Act::Say(status, headers, body) => {
                        let head = format!(
                            "HTTP/1.1 {status} X\r\ncontent-length: {}\r\n{headers}\r\n",
                            body.len()
                        );
                        stream.write_all(head.as_bytes()).unwrap();
                        stream.write_all(body.as_bytes()).unwrap();
                    }
                    Act::Hang => break,
                    Act::Stall => {
                        // Ends when the client closes its side.
                        let _ = reader.read(&mut [0; 1]);
                        break;
                    }
                }
            }
        }
        connections
    });
    Endpoint { url, seen, serving }
}

fn read_request(reader: &mut BufReader<std::net::TcpStream>) -> Option<Seen> {
    let mut head = String::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        if line == "\r\n" {
            break;
        }
        head.push_str(&line.to_lowercase());
    }
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "))?;
    let mut body = vec![0; length.trim().parse().unwrap()];
    reader.read_exact(&mut body).unwrap();
    Some(Seen {
        head,
        body: serde_json::from_slice(&body).unwrap(),
    })
}

fn say(text: &str) -> Act {
    let body = json!({
        "choices": [{"message": {"role": "assistant", "content": text}}],
        "usage": {"prompt_tokens": 90, "completion_tokens": 10, "total_tokens": 100},
    });
    Act::Say(200, "content-type: application/json\r\n", body.to_string())
}

fn fail(status: u16, headers: &'static str) -> Act {
    Act::Say(status, headers, "{\"error\": \"no\"}".to_owned())
}

fn model(url: &str) -> ChatConfig {
    ChatConfig {
        backoff: Duration::from_millis(1),
        attempts: 3,
        timeout: Duration::from_secs(20),
        ..ChatConfig::new(url, "m")
    }
}

fn evidence() -> Evidence<'static> {
    Evidence {
        active: vec![
            (Passage::whole("the battery died"), 0.9),
            (Passage::whole("battery empty"), 0.8),
        ],
        inactive: vec![Passage::whole("a fine day")],
        ..Evidence::default()
    }
}

fn label(config: ChatConfig) -> Result<Option<String>> {
    let model = ChatModel::new(config)?;
    let named = model.label(&evidence(), &Progress::default());
    named.map(Naming::name)
}

#[test]
fn a_label_is_asked_for_with_the_key_and_both_kinds_of_documents() {
    let endpoint = serve(vec![say("Label: battery life")]);
    let mut config = model(&format!("{}/", endpoint.url));
    config.key = Some("secret".to_owned());
    assert!(!format!("{config:?}").contains("secret"));
    assert_eq!(label(config).unwrap().as_deref(), Some("battery life"));
    let request = endpoint.seen.recv().unwrap();
    assert!(
        request.head.starts_with("post /v1/chat/completions "),
        "{}",
        request.head
    );
    assert!(request.head.contains("authorization: bearer secret"));
    assert_eq!(request.body["model"], "m");
    let user = request.body["messages"][1]["content"].as_str().unwrap();
    assert!(
        user.contains("the battery died") && user.contains("a fine day"),
        "{user}"
    );
}

#[test]
fn what_may_pass_is_tried_again() {
    for trouble in [
        fail(429, "retry-after: 0\r\n"),
        fail(429, "retry-after: Wed, 21 Oct 2015 07:28:00 GMT\r\n"),
        fail(503, ""),
        Act::Hang,
        Act::Say(200, "", "not json".to_owned()),
        Act::Say(200, "", "{\"choices\": []}".to_owned()),
    ] {
        let endpoint = serve(vec![trouble.clone(), trouble, say("battery")]);
        assert_eq!(
            label(model(&endpoint.url)).unwrap().as_deref(),
            Some("battery")
        );
        assert_eq!(endpoint.seen.iter().count(), 3);
    }
}

#[test]
fn attempts_end() {
    let endpoint = serve(vec![fail(503, ""); 3]);
    let error = label(model(&endpoint.url)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(
        error.message().contains("3 attempts") && error.message().contains("503"),
        "{error}"
    );
}

#[test]
fn what_is_refused_for_good_is_not_tried_again() {
    for status in [400, 401, 404] {
        let endpoint = serve(vec![fail(status, "")]);
        let error = label(model(&endpoint.url)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::FailedPrecondition, "{error}");
        assert!(error.message().contains(&status.to_string()));
        assert_eq!(endpoint.seen.iter().count(), 1);
    }
}

#[test]
fn an_endpoint_that_stalls_times_out() {
    let endpoint = serve(vec![Act::Stall, Act::Stall]);
    let mut config = model(&endpoint.url);
    config.timeout = Duration::from_millis(100);
    config.attempts = 2;
    assert_eq!(label(config).unwrap_err().kind(), ErrorKind::Unavailable);
    assert_eq!(endpoint.serving.join().unwrap(), 2);
}

#[test]
fn connections_are_kept() {
    let endpoint = serve(vec![say("a"), say("b"), say("c")]);
    let model = ChatModel::new(model(&endpoint.url)).unwrap();
    for expected in ["a", "b", "c"] {
        let label = model.label(&evidence(), &Progress::default());
        assert_eq!(label.unwrap(), Naming::Name(expected.to_owned()));
    }
    assert_eq!(model.tokens(), 300);
    assert_eq!(endpoint.serving.join().unwrap(), 1);
}

#[test]
fn an_answer_of_another_form_is_asked_for_once_more() {
    let long = "this is a very long sentence about what the texts have in common";
    let endpoint = serve(vec![say(long), say("battery")]);
    assert_eq!(
        label(model(&endpoint.url)).unwrap().as_deref(),
        Some("battery")
    );
    let endpoint = serve(vec![say(long), say(long)]);
    assert_eq!(label(model(&endpoint.url)).unwrap(), None);
}

#[test]
fn the_budget_ends_the_work_before_it_is_passed() {
    let endpoint = serve(vec![say("a"), say("b")]);
    let mut config = model(&endpoint.url);
    config.limits.tokens = Some(300);
    let model = ChatModel::new(config).unwrap();
    let ask = || model.label(&evidence(), &Progress::default());
    assert!(ask().is_ok() && ask().is_ok());
    // 200 are used; the next prompt and answer may take more than what is left.
    assert_eq!(model.tokens(), 200);
    assert_eq!(ask().unwrap_err().kind(), ErrorKind::ResourceExhausted);
    assert_eq!(model.tokens(), 200);
}

#[test]
fn the_rate_spaces_requests() {
    let endpoint = serve(vec![say("a"), say("b"), say("c")]);
    let mut config = model(&endpoint.url);
    config.limits.requests_per_minute = Some(600);
    let model = ChatModel::new(config).unwrap();
    let began = Instant::now();
    for _ in 0..3 {
        model.label(&evidence(), &Progress::default()).unwrap();
    }
    // The third may not start before .2 s have passed, however fast the machine is.
    assert!(began.elapsed() >= Duration::from_millis(200));
}

#[test]
fn cancelling_ends_a_wait() {
    let endpoint = serve(vec![fail(429, "retry-after: 50\r\n")]);
    let model = Arc::new(ChatModel::new(model(&endpoint.url)).unwrap());
    let progress = Arc::new(Progress::default());
    let (asked, also) = (model.clone(), progress.clone());
    let asking = std::thread::spawn(move || asked.label(&evidence(), &also));
    endpoint.seen.recv().unwrap();
    progress.stop();
    assert_eq!(
        asking.join().unwrap().unwrap_err().kind(),
        ErrorKind::Cancelled
    );
}

#[test]
fn a_judge_reads_a_score_for_every_text() {
    let endpoint = serve(vec![say("1: 1"), say("1: 1\n2: -0.5"), say("?"), say("?")]);
    let model = ChatModel::new(model(&endpoint.url)).unwrap();
    let trials = ["battery died", "fine day"].map(Passage::whole);
    let progress = Progress::default();
    let scores = model.predict("battery", &trials, &progress).unwrap();
    assert_eq!(scores, Some(vec![1.0, -0.5]));
    assert_eq!(model.predict("battery", &trials, &progress).unwrap(), None);
}

#[test]
fn an_address_is_checked_at_once() {
    for url in ["", "localhost:80", "ftp://x", "http://"] {
        let error = ChatModel::new(ChatConfig::new(url, "m"))
            .map(|_| ())
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{url:?}");
    }
}

#[test]
fn latents_are_chosen_by_their_numbers_and_nothing_else() {
    let endpoint = serve(vec![
        say("3, 1"),
        say("Concepts 3 and 1 fit."),
        say("[2]"),
        say("none"),
    ]);
    let model = ChatModel::new(model(&endpoint.url)).unwrap();
    let select = || {
        let labels = ["late parcels", "weather", "broken goods"];
        model.select("a complaint", &labels, &Progress::default())
    };
    assert_eq!(select().unwrap(), [2, 0]);
    assert_eq!(select().unwrap(), [1]);
    assert_eq!(select().unwrap(), [0; 0]);
    let seen: Vec<Seen> = endpoint.seen.iter().collect();
    let user = |at: usize| seen[at].body["messages"][1]["content"].as_str().unwrap();
    assert!(
        user(0).starts_with("Property: a complaint\n"),
        "{}",
        user(0)
    );
    assert!(user(0).contains("\n3. broken goods\n"), "{}", user(0));
    // The second time it is told the form again.
    assert!(user(2).starts_with(user(1)) && user(2).len() > user(1).len());
}

#[test]
fn a_choice_is_never_guessed_at() {
    for answer in ["1, 9", "1 1", "", "the first", "1, 1"] {
        let endpoint = serve(vec![say(answer), say(answer)]);
        let model = ChatModel::new(model(&endpoint.url)).unwrap();
        let found = model.select("x", &["a", "b"], &Progress::default());
        let error = found.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
        assert!(error.message().contains("chat:m"), "{error}");
    }
}
