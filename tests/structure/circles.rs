//! Circles of modules: files of one crate whose imports lead back to themselves.
//!
//! A file is a module. An edge runs from a file to each file that defines an item which the first
//! one names, in a `use` or in a path; re-exports are followed to the definition. That a parent
//! declares its children and re-exports their items is no edge; that its own code uses them is one.
//! What is `#[cfg(test)]` is left out.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use super::modules::{Import, Modules, Names};
use super::source::{repository, rust_files};

/// Per file, the files it imports from, with the names it takes from each.
pub type Edges = BTreeMap<String, BTreeMap<String, BTreeSet<String>>>;

impl Modules {
    /// Who imports from whom.
    pub fn edges(&self) -> Edges {
        let mut edges = Edges::new();
        for (path, module) in &self.modules {
            let mut add = |names: &[String]| {
                let mut seen = BTreeSet::new();
                if let Some((file, name)) = self.definition(path, names, &mut seen)
                    && file != module.file
                {
                    let from = edges.entry(module.file.clone()).or_default();
                    from.entry(file).or_default().insert(name);
                }
            };
            for import in &module.imports {
                let lists_a_child = import.is_public && self.is_below(path, &import.path);
                let is_used = import
                    .name
                    .as_ref()
                    .is_some_and(|name| module.words.contains(name));
                if !lists_a_child || is_used {
                    let mut names = import.path.clone();
                    if import.name.is_none() {
                        names.push("*".to_owned());
                    }
                    add(&names);
                }
            }
            for names in &module.paths {
                add(names);
            }
        }
        edges
    }

    /// Whether a path written in a module leads into a child of it.
    fn is_below(&self, from: &[String], names: &[String]) -> bool {
        let first = names.iter().find(|name| *name != "self");
        first.is_some_and(|first| self.modules[from].children.contains(first))
    }

    /// The file that defines what a path means, and the item's name. `None` for what is of another
    /// crate, and for a module: only what is taken from it counts.
    fn definition(
        &self,
        from: &[String],
        names: &[String],
        seen: &mut BTreeSet<(Names, Names)>,
    ) -> Option<(String, String)> {
        // Globs that import each other would go on for ever.
        if names.len() > 20 || !seen.insert((from.to_vec(), names.to_vec())) {
            return None;
        }
        let (first, rest) = names.split_first()?;
        let (at, rest) = match first.as_str() {
            "crate" => (&[][..], rest),
            "self" => (from, rest),
            "super" => (from.split_last()?.1, rest),
            child if self.modules.get(from)?.children.contains(child) => (from, names),
            _ => return self.named(from, names, seen),
        };
        if let Some("super" | "self") = rest.first().map(String::as_str) {
            return self.definition(at, rest, seen);
        }
        let module = self.modules.get(at)?;
        let (first, after) = rest.split_first()?;
        // A module and an item of one name: the path of a module alone means the item.
        if after.is_empty() && module.children.contains(first) {
            return self.named(at, rest, seen);
        }
        if module.children.contains(first) {
            let child = [at, std::slice::from_ref(first)].concat();
            let inside = [&["self".to_owned()], after].concat();
            return self.definition(&child, &inside, seen);
        }
        // What a macro defines is seen nowhere, but is of the module that the path names.
        let unseen = || Some((module.file.clone(), first.clone()));
        self.named(at, rest, seen).or_else(unseen)
    }

    /// What a name of a module means: an item, or an import.
    fn named(
        &self,
        at: &[String],
        names: &[String],
        seen: &mut BTreeSet<(Names, Names)>,
    ) -> Option<(String, String)> {
        let module = self.modules.get(at)?;
        let (first, rest) = names.split_first()?;
        if first == "*" || module.items.contains(first) {
            return Some((module.file.clone(), first.clone()));
        }
        let is_named = |import: &&Import| import.name.as_ref() == Some(first);
        for import in module.imports.iter().filter(is_named) {
            let target = [&import.path[..], rest].concat();
            if let Some(found) = self.definition(at, &target, seen) {
                return Some(found);
            }
        }
        // A glob brings the name in only where the name is known there.
        let mut globs = module.imports.iter().filter(|import| import.name.is_none());
        globs.find_map(|import| {
            let module = self.path_of(at, &import.path)?;
            self.named(&module, names, seen)
        })
    }

    /// The module that a path names.
    fn path_of(&self, from: &[String], names: &[String]) -> Option<Names> {
        let mut at = from.to_vec();
        for (place, name) in names.iter().enumerate() {
            match name.as_str() {
                "crate" => at.clear(),
                "self" => {}
                "super" => drop(at.pop()?),
                child if self.modules.get(&at)?.children.contains(child) => {
                    at.push(child.to_owned());
                }
                imported => {
                    let imports = &self.modules.get(&at)?.imports;
                    let import = imports
                        .iter()
                        .find(|import| import.name.as_deref() == Some(imported))?;
                    let rest = [&import.path[..], &names[place + 1..]].concat();
                    return (import.path[0] != *imported)
                        .then(|| self.path_of(&at, &rest))
                        .flatten();
                }
            }
        }
        Some(at)
    }
}

/// The sets of two and more files that import from each other, around.
pub fn circles(edges: &Edges) -> Vec<BTreeSet<String>> {
    let reached: BTreeMap<&str, BTreeSet<&str>> = edges
        .keys()
        .map(|file| {
            let mut found = BTreeSet::new();
            let mut open = vec![file.as_str()];
            while let Some(at) = open.pop() {
                for next in edges.get(at).into_iter().flat_map(BTreeMap::keys) {
                    if found.insert(next.as_str()) {
                        open.push(next);
                    }
                }
            }
            (file.as_str(), found)
        })
        .collect();
    let circles: BTreeSet<BTreeSet<String>> = reached
        .iter()
        .map(|(file, found)| {
            let back = found.iter().filter(|other| {
                let others = reached.get(**other);
                others.is_some_and(|others| others.contains(file))
            });
            back.map(|other| (*other).to_owned()).collect()
        })
        .filter(|circle: &BTreeSet<String>| !circle.is_empty())
        .collect();
    circles.into_iter().collect()
}

/// The circles of a crate, as lines to print.
fn described(edges: &Edges, circles: &[BTreeSet<String>]) -> Vec<String> {
    let mut lines = Vec::new();
    for circle in circles {
        lines.push(format!("a circle of {} files:", circle.len()));
        for file in circle {
            for (other, names) in &edges[file] {
                if circle.contains(other) {
                    let names: Vec<&str> = names.iter().map(String::as_str).collect();
                    lines.push(format!("  {file} -> {other}: {}", names.join(", ")));
                }
            }
        }
    }
    lines
}

fn sources(folder: &Path) -> Vec<(String, String)> {
    let mut sources: Vec<(String, String)> = rust_files(folder)
        .into_iter()
        .map(|path| {
            let name = path.strip_prefix(folder).unwrap();
            let source = fs::read_to_string(&path).unwrap();
            (name.to_str().unwrap().replace('\\', "/"), source)
        })
        .collect();
    sources.sort();
    sources
}

#[test]
fn modules_import_downward_only() {
    let mut total = 0;
    for folder in ["src", "index/src", "proto/src"] {
        let sources = sources(&repository().join(folder));
        let modules = Modules::of(sources.iter().map(|(name, text)| (&**name, &**text)));
        let edges = modules.edges();
        let circles = circles(&edges);
        println!("{folder}: {} circles", circles.len());
        for line in described(&edges, &circles) {
            println!("{line}");
        }
        total += circles.len();
    }
    assert_eq!(total, 0, "circles of modules; --nocapture prints them");
}

#[test]
fn no_module_reaches_past_its_parent() {
    let mut found = Vec::new();
    for folder in ["src", "index/src", "proto/src"] {
        let sources = sources(&repository().join(folder));
        let modules = Modules::of(sources.iter().map(|(name, text)| (&**name, &**text)));
        for module in modules.modules.values() {
            let imports = module.imports.iter().map(|import| &import.path);
            for names in imports.chain(&module.paths) {
                if names.starts_with(&["super".to_owned(), "super".to_owned()]) {
                    found.push(format!("{folder}/{}: {}", module.file, names.join("::")));
                }
            }
        }
    }
    assert!(found.is_empty(), "say crate:: for\n{}", found.join("\n"));
}

#[cfg(test)]
mod finder {
    use super::{Modules, circles};

    /// Edges of the files as `from -> to: names`, and the circles.
    fn read(files: &[(&str, &str)]) -> (Vec<String>, usize) {
        let edges = Modules::of(files.iter().copied()).edges();
        let lines = edges.iter().flat_map(|(from, targets)| {
            targets.iter().map(move |(to, names)| {
                let names: Vec<&str> = names.iter().map(String::as_str).collect();
                format!("{from} -> {to}: {}", names.join(" "))
            })
        });
        (lines.collect(), circles(&edges).len())
    }

    #[test]
    fn a_parent_may_list_its_children_but_not_use_what_they_use_of_it() {
        let child = (
            "a/b.rs",
            "use super::Shared; pub struct Item; pub fn f() {}",
        );
        let lists = "mod b; pub use b::Item; pub use self::b::f; pub struct Shared;";
        let (edges, found) = read(&[("a/mod.rs", lists), child]);
        assert_eq!(edges, ["a/b.rs -> a/mod.rs: Shared"]);
        assert_eq!(found, 0);
        for uses in ["fn g(item: Item) {}", "fn g() { b::f() }", "use b::f as h;"] {
            let (_, found) = read(&[("a/mod.rs", &format!("{lists} {uses}")), child]);
            assert_eq!(found, 1, "{uses}");
        }
    }

    #[test]
    fn a_re_export_leads_to_the_definition() {
        let macros = "made! { pub fn hidden() {} } pub use std::fs;";
        let (edges, _) = read(&[
            ("lib.rs", "mod m; mod n; mod o; mod p;"),
            ("m.rs", macros),
            (
                "n.rs",
                "use super::m; use crate::m::hidden; fn f() { m::other(); m::fs::read() }",
            ),
        ]);
        assert_eq!(edges, ["n.rs -> m.rs: fs hidden other"]);
        let (edges, found) = read(&[
            ("lib.rs", "pub mod a; pub mod c;"),
            (
                "a/mod.rs",
                "mod b; mod d; pub use b::{Item as Other, E}; pub use d::*;",
            ),
            (
                "a/b.rs",
                "use super::d; pub struct Item; pub enum E { V } fn f() { d::run() }",
            ),
            (
                "a/d.rs",
                "pub fn run() {} pub mod inner { pub(in crate::a) fn deep() {} }",
            ),
            (
                "c.rs",
                "use crate::{a::{self, Other}, c}; use std::fs; use crate::a::run as go;
                 fn f() { a::E::V; crate::a::d::inner::deep(); fs::read(); }",
            ),
        ]);
        assert_eq!(
            edges,
            [
                "a/b.rs -> a/d.rs: run",
                "c.rs -> a/b.rs: E Item",
                "c.rs -> a/d.rs: deep run",
            ]
        );
        assert_eq!(found, 0);
    }

    #[test]
    fn tests_are_left_out_and_circles_are_found_whole() {
        let (edges, found) = read(&[
            (
                "a.rs",
                "use crate::b::B; pub struct A; #[cfg(test)] mod tests { use crate::c::C; }",
            ),
            (
                "b.rs",
                "use crate::c::C; pub struct B; #[cfg(test)] mod fixtures;",
            ),
            (
                "c.rs",
                "use crate::a::A; pub struct C; #[cfg(test)] use crate::d::D; use crate::e::E;",
            ),
            ("b/fixtures.rs", "use crate::d::D;"),
            ("d.rs", "use crate::a::A; pub struct D;"),
            ("e.rs", "pub struct E;"),
            ("e/tests.rs", "use super::E;"),
            ("lib.rs", "mod a; mod b; mod c; mod d; mod e;"),
        ]);
        assert_eq!(edges.len(), 5, "{edges:?}");
        assert_eq!(found, 1);
    }
}
