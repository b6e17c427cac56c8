//! The modules of a crate, read from its files: children, items, imports, and the paths in code.

use std::collections::{BTreeMap, BTreeSet};

use super::source::tokens;

/// Segments of a path, `crate` and `super` resolved or not.
pub type Names = Vec<String>;

/// What a `use` brings in.
pub struct Import {
    /// As written: `super::model::Sae`.
    pub path: Names,
    /// `Sae`, or the name after `as`; `None` for a glob.
    pub name: Option<String>,
    /// Whether it is a re-export.
    pub is_public: bool,
}

/// One module: a file, or an inline `mod` of it.
#[derive(Default)]
pub struct Module {
    pub file: String,
    pub children: BTreeSet<String>,
    pub items: BTreeSet<String>,
    pub imports: Vec<Import>,
    /// Paths in code.
    pub paths: Vec<Names>,
    /// Words in code outside paths and imports.
    pub words: BTreeSet<String>,
}

/// The modules of a crate, by path.
pub struct Modules {
    pub modules: BTreeMap<Names, Module>,
    left_out: BTreeSet<Names>,
}

const ITEMS: [&str; 9] = [
    "struct",
    "enum",
    "fn",
    "const",
    "static",
    "type",
    "trait",
    "union",
    "macro_rules",
];

impl Modules {
    /// Reads files, each given by its name (`sae/model.rs`) and its source.
    pub fn of<'a>(files: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let mut read = Self {
            modules: BTreeMap::new(),
            left_out: BTreeSet::new(),
        };
        for (file, source) in files {
            if file.ends_with("tests.rs") || file == "main.rs" {
                continue;
            }
            let mut path: Names = file
                .trim_end_matches(".rs")
                .split('/')
                .map(str::to_owned)
                .collect();
            if path
                .last()
                .is_some_and(|last| last == "mod" || last == "lib")
            {
                path.pop();
            }
            read.module(&path, file, &tokens(source));
        }
        let left_out = std::mem::take(&mut read.left_out);
        read.modules
            .retain(|path, _| !left_out.iter().any(|test| path.starts_with(test)));
        read
    }

    /// Reads the tokens of one module; inline modules become modules of their own.
    fn module(&mut self, path: &[String], file: &str, tokens: &[String]) {
        let mut module = Module {
            file: file.to_owned(),
            ..Module::default()
        };
        let token = |at: usize| tokens.get(at).map_or("", String::as_str);
        let mut depth = 0_usize;
        let mut at = 0;
        while at < tokens.len() {
            match token(at) {
                "#" if is_test(&tokens[at..]) => {
                    let end = at + item_end(&tokens[at..]);
                    if let Some(name) = tokens[at..end].iter().position(|word| word == "mod") {
                        let mut test = path.to_vec();
                        test.push(token(at + name + 1).to_owned());
                        self.left_out.insert(test);
                    }
                    at = end;
                    continue;
                }
                "mod" if token(at + 2) == ";" => {
                    module.children.insert(token(at + 1).to_owned());
                    at += 3;
                    continue;
                }
                "mod" if token(at + 2) == "{" => {
                    let end = at + item_end(&tokens[at..]);
                    module.children.insert(token(at + 1).to_owned());
                    let mut inline = path.to_vec();
                    inline.push(token(at + 1).to_owned());
                    self.module(&inline, file, &tokens[at + 3..end - 1]);
                    at = end;
                    continue;
                }
                "use" if at == 0 || token(at - 1) != "::" => {
                    let is_public = at > 0 && matches!(token(at - 1), "pub" | ")");
                    let length = tokens[at..].iter().position(|token| token == ";");
                    let end = at + length.unwrap_or(tokens.len() - at);
                    tree(&tokens[at + 1..end], &[], is_public, &mut module.imports);
                    at = end + 1;
                    continue;
                }
                // The path of a visibility is no use.
                "pub" if token(at + 1) == "(" => {
                    let length = tokens[at..].iter().position(|token| token == ")");
                    at += length.unwrap_or(1) + 1;
                    if token(at) == "use" {
                        continue;
                    }
                    at -= 1;
                }
                "{" => depth += 1,
                "}" => depth = depth.saturating_sub(1),
                word if is_word(word) && (at == 0 || token(at - 1) != "::") => {
                    let names = path_at(&tokens[at..]);
                    if names.len() > 1 {
                        at += 2 * names.len() - 1;
                        module.paths.push(names);
                        continue;
                    }
                    let before = if at > 0 { token(at - 1) } else { "" };
                    if depth == 0 && ITEMS.contains(&before) {
                        module.items.insert(word.to_owned());
                    } else if depth == 0 && token(at) == "macro_rules" {
                        module.items.insert(token(at + 2).to_owned());
                    } else {
                        module.words.insert(word.to_owned());
                    }
                }
                _ => {}
            }
            at += 1;
        }
        self.modules.insert(path.to_vec(), module);
    }
}

/// Whether an attribute leaves an item to tests.
fn is_test(tokens: &[String]) -> bool {
    let end = tokens.iter().position(|token| token == "]");
    let attribute = &tokens[..end.unwrap_or(tokens.len())];
    ["[", "cfg", "(", "test", ")"]
        .iter()
        .zip(attribute.iter().skip(1))
        .filter(|(expected, found)| expected == found)
        .count()
        == 5
}

/// Tokens up to and with the end of an item, its attributes included.
fn item_end(tokens: &[String]) -> usize {
    let mut depth = 0_usize;
    for (at, token) in tokens.iter().enumerate() {
        match token.as_str() {
            "(" | "[" | "{" => depth += 1,
            ")" | "]" | "}" => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth == 0 && matches!(token.as_str(), ";" | "}") {
            return at + 1;
        }
    }
    tokens.len()
}

fn is_word(token: &str) -> bool {
    token.starts_with(|c: char| c.is_alphabetic() || c == '_')
}

/// `a::b::c` at the start of the tokens.
fn path_at(tokens: &[String]) -> Names {
    let mut names = vec![tokens[0].clone()];
    for pair in tokens[1..].chunks_exact(2) {
        if pair[0] != "::" || !is_word(&pair[1]) {
            break;
        }
        names.push(pair[1].clone());
    }
    names
}

/// The imports of a `use` tree, after `use` and before `;`.
fn tree(tokens: &[String], prefix: &[String], is_public: bool, imports: &mut Vec<Import>) {
    let mut path = prefix.to_vec();
    let mut at = 0;
    while at < tokens.len() {
        match tokens[at].as_str() {
            "::" => {}
            "{" => {
                let inside = &tokens[at + 1..tokens.len() - 1];
                let mut depth = 0_usize;
                for part in inside.split(|token| {
                    match token.as_str() {
                        "{" => depth += 1,
                        "}" => depth -= 1,
                        _ => {}
                    }
                    depth == 0 && token == ","
                }) {
                    if !part.is_empty() {
                        tree(part, &path, is_public, imports);
                    }
                }
                return;
            }
            "*" => {
                imports.push(Import {
                    path,
                    name: None,
                    is_public,
                });
                return;
            }
            "as" => {
                let name = Some(tokens[at + 1].clone());
                imports.push(Import {
                    path,
                    name,
                    is_public,
                });
                return;
            }
            "self" if !prefix.is_empty() => {}
            word => path.push(word.to_owned()),
        }
        at += 1;
    }
    imports.push(Import {
        name: path.last().cloned(),
        path,
        is_public,
    });
}
