//! Which words of a hit's text the query asked for.

use latentdb_index::filter::{Referent, ResolvedFilter, TextMode};
use latentdb_index::query::{Hit, Kind};
use latentdb_index::{Analyzer, Filter, ResolvedQuery, Span};

use super::result::Highlight;

/// Words that a query asks for.
#[derive(Clone, Debug)]
pub(super) struct Words {
    /// The node that ranks by them; empty of a condition in a filter, which holds for every hit.
    component: String,
    text: String,
    mode: TextMode,
}

/// The words of a query and of the filters that its hits meet; the right side of `excluding` has
/// none.
pub(super) fn collect_words(query: &ResolvedQuery, words: &mut Vec<Words>) {
    if let Some(filter) = &query.filter {
        collect_conditions(filter, words);
    }
    match &query.kind {
        Kind::Text { text, mode } => words.push(Words {
            component: query.name.clone(),
            text: text.clone(),
            mode: *mode,
        }),
        Kind::Except { query, .. } => collect_words(query, words),
        Kind::Fusion { children, .. } => {
            for (child, _) in children {
                collect_words(child, words);
            }
        }
        _ => {}
    }
}

fn collect_conditions(filter: &ResolvedFilter, words: &mut Vec<Words>) {
    match filter {
        Filter::Text { text, mode } => words.push(Words {
            component: String::new(),
            text: text.clone(),
            mode: *mode,
        }),
        Filter::And(parts) | Filter::Or(parts) => {
            for part in parts {
                collect_conditions(part, words);
            }
        }
        Filter::Named(Referent::InSpace { filter, .. }) => collect_conditions(filter, words),
        _ => {}
    }
}

/// Where the text of a hit has words that the query asked for, in the order of the query.
pub(super) fn highlights(
    words: &[Words],
    analyzer: Analyzer,
    hit: &Hit,
    text: &str,
) -> Vec<Highlight> {
    let given = |component: &str| {
        let mut components = hit.components.iter();
        component.is_empty() || components.any(|given| given.name == component)
    };
    let asked = words.iter().filter(|words| given(&words.component));
    let found = asked.flat_map(|words| {
        let spans = analyzer
            .highlights(&words.text, words.mode, text)
            .into_iter();
        spans.map(|span: Span| Highlight {
            component: words.component.clone(),
            span,
        })
    });
    found.collect()
}
