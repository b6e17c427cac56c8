//! The dependency directions of the architecture, held by a test: data flows one way,
//! `cli -> client -> server -> service -> {encoder, sae, label} and index`, only `server`, `client`
//! and `cli` know the wire types, and modules import downward only.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test may")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

#[path = "structure/circles.rs"]
mod circles;
#[path = "structure/modules.rs"]
mod modules;
#[path = "structure/source.rs"]
mod source;

use source::{repository, rust_files, tokens};

/// For each module of `src/`, what it may use: modules of the package, crates of the workspace, and
/// the crates in [`WATCHED`].
const ALLOWED: &[(&str, &[&str])] = &[
    ("error", &["latentdb_index"]),
    ("hex", &[]),
    ("instructions", &[]),
    ("keys", &["error", "hex", "stamp"]),
    ("measures", &[]),
    ("stamp", &["error"]),
    ("telemetry", &["error"]),
    ("tokens", &["error", "keys", "stamp"]),
    ("priority", &["latentdb_index"]),
    ("progress", &["latentdb_index"]),
    ("vectors", &[]),
    ("reading", &["error"]),
    ("npy", &["error"]),
    (
        "encoder",
        &[
            "error",
            "hex",
            "instructions",
            "priority",
            "progress",
            "reading",
            "vectors",
            "candle",
        ],
    ),
    (
        "sae",
        &[
            "error",
            "hex",
            "instructions",
            "npy",
            "progress",
            "reading",
            "vectors",
            "whole_file",
            "candle",
        ],
    ),
    (
        "label",
        &["error", "progress", "vectors", "candle", "latentdb_index"],
    ),
    (
        "eval",
        &[
            "error",
            "encoder",
            "label",
            "progress",
            "reading",
            "records",
            "sae",
            "vectors",
            // Its statistics: intervals are computed in one place.
            "latentdb_index",
        ],
    ),
    ("guide", &[]),
    ("inputs", &["encoder", "error", "hex", "progress"]),
    ("verify", &["error", "sae", "latentdb_index"]),
    ("whole_file", &["error"]),
    ("plot", &["error", "whole_file"]),
    (
        "coder",
        &[
            "error",
            "encoder",
            "progress",
            "reading",
            "records",
            "sae",
            "latentdb_index",
        ],
    ),
    (
        "report",
        &["error", "eval", "plot", "records", "sae", "whole_file"],
    ),
    (
        "records",
        &[
            "error",
            "hex",
            "npy",
            "reading",
            "sae",
            "vectors",
            "whole_file",
            "latentdb_index",
        ],
    ),
    (
        "service",
        &[
            "coder",
            "error",
            "encoder",
            "hex",
            "inputs",
            "label",
            "measures",
            "progress",
            "reading",
            "sae",
            "vectors",
            "verify",
            "latentdb_index",
        ],
    ),
    (
        "server",
        &[
            "error",
            "encoder",
            "keys",
            "label",
            "measures",
            "priority",
            "progress",
            "reading",
            "sae",
            "service",
            "tokens",
            "latentdb_index",
            "latentdb_proto",
            "tonic",
            "prost",
        ],
    ),
    (
        "client",
        &[
            "error",
            "reading",
            "report",
            "latentdb_proto",
            "tonic",
            "prost",
        ],
    ),
    (
        "cli",
        &[
            "client",
            "error",
            "keys",
            "client",
            "coder",
            "encoder",
            "eval",
            "hex",
            "inputs",
            "label",
            "plot",
            "progress",
            "reading",
            "records",
            "report",
            "sae",
            "server",
            "telemetry",
            "tokens",
            "vectors",
            "verify",
            "whole_file",
            // Data that no server has open.
            "latentdb_index",
            "latentdb_proto",
            "tonic",
            "prost",
            "clap",
            "anyhow",
        ],
    ),
    ("main", &["cli", "clap", "anyhow"]),
    ("lib", &[]),
];

/// Crates that belong to some modules only; each stands for all whose names begin with it.
const WATCHED: [&str; 8] = [
    "latentdb_index",
    "latentdb_proto",
    "tonic",
    "prost",
    "tantivy",
    "candle",
    "clap",
    "anyhow",
];

/// Crates that neither the engine nor the wire types may depend on: models, servers, commands.
const NOT_IN_LIBRARIES: [&str; 6] = [
    "latentdb",
    "candle",
    "tokenizers",
    "clap",
    "anyhow",
    "tokio",
];

/// What source uses: first segments of paths after `crate` (after `latentdb` in the binary), and
/// crates of [`WATCHED`].
fn uses(tokens: &[String]) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (at, token) in tokens.iter().enumerate() {
        if at > 0 && tokens[at - 1] == "::" {
            continue;
        }
        let is_path = tokens.get(at + 1).is_some_and(|next| next == "::");
        if (token == "crate" || token == "latentdb") && is_path {
            found.extend(first_segments(&tokens[at + 2..]));
        }
        let follows_use = at > 0 && matches!(tokens[at - 1].as_str(), "use" | "extern" | "crate");
        let watched = WATCHED.iter().find(|name| {
            token == *name
                || token
                    .strip_prefix(**name)
                    .is_some_and(|rest| rest.starts_with('_'))
        });
        if let Some(name) = watched
            && (is_path || follows_use)
        {
            found.insert((*name).to_owned());
        }
    }
    found
}

/// `a` of `a::b`, and `a` and `b` of `{a::c, b}`.
fn first_segments(after: &[String]) -> Vec<String> {
    if after.first().is_none_or(|first| first != "{") {
        return after.first().cloned().into_iter().collect();
    }
    let mut segments = Vec::new();
    let mut depth = 0;
    for (at, token) in after.iter().enumerate() {
        match token.as_str() {
            "{" => depth += 1,
            "}" => depth -= 1,
            word if depth == 1 && matches!(after[at - 1].as_str(), "{" | ",") => {
                segments.push(word.to_owned());
            }
            _ => {}
        }
        if depth == 0 {
            break;
        }
    }
    segments
}

/// The module of `src/` that a file belongs to.
fn module_of(path: &Path) -> String {
    let inside = path.strip_prefix(repository().join("src")).unwrap();
    let first = inside.iter().next().unwrap().to_str().unwrap();
    first.trim_end_matches(".rs").to_owned()
}

#[test]
fn modules_use_only_what_is_below_them() {
    let allowed: BTreeMap<&str, &[&str]> = ALLOWED.iter().copied().collect();
    let mut wrong = Vec::new();
    let mut seen = BTreeSet::new();
    for path in rust_files(&repository().join("src")) {
        let module = module_of(&path);
        let Some(may_use) = allowed.get(module.as_str()) else {
            wrong.push(format!(
                "src/{module} stands in no row of ALLOWED: say what it may use"
            ));
            continue;
        };
        for used in uses(&tokens(&fs::read_to_string(&path).unwrap())) {
            if used != module && !may_use.contains(&used.as_str()) {
                wrong.push(format!("{}: uses {used}", path.display()));
            }
        }
        seen.insert(module);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    for required in ["cli", "server", "service", "encoder", "sae", "error"] {
        assert!(seen.contains(required), "src/{required} was not read");
    }
}

#[test]
fn the_table_of_modules_has_no_cycle() {
    let allowed: BTreeMap<&str, &[&str]> = ALLOWED.iter().copied().collect();
    let mut below: BTreeSet<&str> = BTreeSet::new();
    while below.len() < allowed.len() {
        let next: Vec<&str> = allowed
            .iter()
            .filter(|(module, _)| !below.contains(*module))
            .filter(|(_, used)| {
                used.iter()
                    .all(|name| !allowed.contains_key(name) || below.contains(name))
            })
            .map(|(module, _)| *module)
            .collect();
        assert!(!next.is_empty(), "modules in a cycle, above {below:?}");
        below.extend(next);
    }
}

/// Names in the `[dependencies]` and `[build-dependencies]` of a manifest.
fn dependencies(manifest: &Path) -> Vec<String> {
    let text = fs::read_to_string(manifest).unwrap();
    let mut section = "";
    let mut names = Vec::new();
    for line in text.lines() {
        if let Some(name) = line
            .strip_prefix('[')
            .and_then(|line| line.strip_suffix(']'))
        {
            section = name;
        } else if matches!(section, "dependencies" | "build-dependencies")
            && let Some((name, _)) = line.split_once(['.', '=', ' '])
        {
            names.push(name.to_owned());
        }
    }
    names
}

#[test]
fn the_engine_and_the_wire_types_depend_on_nothing_local() {
    for (member, also_not) in [
        ("index", &["tonic", "prost"][..]),
        ("proto", &["tantivy"][..]),
    ] {
        let names = dependencies(&repository().join(member).join("Cargo.toml"));
        assert!(!names.is_empty(), "{member} has no dependencies at all");
        for name in &names {
            let is_refused = NOT_IN_LIBRARIES
                .iter()
                .chain(also_not)
                .any(|refused| name == refused || name.starts_with(&format!("{refused}-")));
            assert!(!is_refused, "{member} depends on {name}");
        }
        for path in rust_files(&repository().join(member).join("src")) {
            let tokens = tokens(&fs::read_to_string(&path).unwrap());
            for refused in ["latentdb", "latentdb_proto", "anyhow", "clap"] {
                let is_used = tokens
                    .windows(2)
                    .any(|pair| pair[0] == refused && pair[1] == "::");
                assert!(!is_used, "{} uses {refused}", path.display());
            }
        }
    }
}

#[test]
fn the_wire_types_hold_no_logic() {
    for path in rust_files(&repository().join("proto/src")) {
        let tokens = tokens(&fs::read_to_string(&path).unwrap());
        assert!(
            !tokens.iter().any(|token| token == "fn"),
            "{} has functions",
            path.display()
        );
    }
}

#[test]
fn uses_are_found_whatever_their_form() {
    let source = r#"
        //! crate::comment is none.
        /* crate::comment */
        use crate::{error::{Error, Result}, sae, service::search::{Node, NodeKind}};
        use latentdb_index::filter; // tonic::Status
        const TEXT: &str = "crate::text \" crate::more";
        fn f<'a>(x: &'a str) -> tonic_types::StatusExt { crate::records::open('"', x) }
        use anyhow;
        fn clap() { other::candle::x(); candle_core::y() }
    "#;
    let found: Vec<String> = uses(&tokens(source)).into_iter().collect();
    let expected = [
        "anyhow",
        "candle",
        "error",
        "latentdb_index",
        "records",
        "sae",
        "service",
        "tonic",
    ];
    assert_eq!(found, expected);
}
