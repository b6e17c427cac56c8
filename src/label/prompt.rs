//! Prompts for language models, and reading their answers.

use rand::SeedableRng;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;

use super::{Evidence, MAX_LABEL_BYTES, MAX_WORDS, Passage, SteeredHits};

/// Activating and inactive documents that a prompt shows; the activating ones are drawn from the
/// three times as many that activate most (arXiv 2512.10092).
#[derive(Clone, Copy, Debug)]
pub(super) struct Shown {
    /// Documents on each side.
    pub documents: usize,
    /// Characters of each.
    pub characters: usize,
}

/// Maximum words and bytes of a sentence that claims a difference.
const MAX_SENTENCE_WORDS: usize = 50;
const MAX_SENTENCE_BYTES: usize = 500;

/// Instructions and a question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Prompt {
    /// What the model is to do.
    pub system: String,
    /// What it is asked.
    pub user: String,
}

/// The documents that a prompt shows: those that activate the latent, and others, cut to size.
pub(super) fn drawn(
    evidence: &Evidence<'_>,
    shown: Shown,
    seed: u64,
) -> (Vec<String>, Vec<String>) {
    let mut random = StdRng::seed_from_u64(seed);
    let top = &evidence.active[..evidence.active.len().min(3 * shown.documents)];
    let active = top.sample(&mut random, shown.documents);
    let part = |text: &Passage<'_>| text.marked_within(shown.characters);
    let active = active.map(|(text, _)| part(text)).collect();
    let inactive = evidence.inactive.sample(&mut random, shown.documents);
    (active, inactive.map(part).collect())
}

/// Asks a small model for the topic of texts, or of the words that are marked in them.
pub(super) fn topic_question(texts: &[String]) -> String {
    let lines: Vec<String> = texts.iter().map(|text| format!("- {text}\n")).collect();
    format!(
        "Here are some texts:\n{}\nName the topic of these texts in one to three words.",
        lines.concat()
    )
}

/// Asks for a label.
pub(super) fn label_prompt(evidence: &Evidence<'_>, shown: Shown) -> Prompt {
    let (active, inactive) = drawn(evidence, shown, evidence.seed);
    let marked = match evidence
        .active
        .iter()
        .any(|(text, _)| !text.fired.is_empty())
    {
        true => {
            " The words on which it was found are marked <<like this>>; the name says what they have in              common, in their context."
        }
        false => "",
    };
    Prompt {
        system: format!(
            "You name the concept that a group of texts has in common and other texts have not.{marked}              You answer with the name alone: one to eight words, specific, no sentence, no quotes."
        ),
        user: format!(
            "Texts with the concept:\n{}\n\nTexts without it:\n{}\n\nThe name of the concept:",
            numbered(&active, usize::MAX),
            numbered(&inactive, usize::MAX)
        ),
    }
}

/// The texts one below the other, counted from 1.
fn numbered(texts: &[impl AsRef<str>], characters: usize) -> String {
    let lines: Vec<String> = (1..)
        .zip(texts)
        .map(|(number, text)| format!("{number}. {}", excerpt(text.as_ref(), characters)))
        .collect();
    lines.join("\n")
}

/// The beginning of a text on one line.
pub(super) fn excerpt(text: &str, characters: usize) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(characters) {
        Some((end, _)) => format!("{}...", &line[..end]),
        None => line,
    }
}

/// The label of a model's answer: its first line without what models put around it; `None` where
/// that is empty or a sentence of more than eight words.
pub(super) fn clean_label(answer: &str) -> Option<String> {
    let line = answer
        .lines()
        .map(str::trim)
        .find(|line| line.chars().any(char::is_alphanumeric))?;
    // Marks of firing words are the prompt's, not the name's.
    let line = line.replace("<<", "").replace(">>", "");
    let mut label = line.trim_start_matches(|c: char| !c.is_alphanumeric());
    for lead in [
        "the name of the concept is",
        "the name of the concept",
        "the concept is",
        "concept",
        "name",
        "label",
        "topic",
    ] {
        let head = label.get(..lead.len());
        if head.is_some_and(|head| head.eq_ignore_ascii_case(lead)) {
            let rest = label[lead.len()..].trim_start();
            if let Some(rest) = rest.strip_prefix(':') {
                label = rest;
            } else if lead.ends_with("is") {
                label = rest;
            }
        }
    }
    let label = label
        .trim_matches(|c: char| {
            c.is_whitespace()
                || matches!(
                    c,
                    '"' | '\'' | '*' | '`' | '_' | '#' | '\u{201c}' | '\u{201d}'
                )
        })
        .trim_end_matches(['.', ',', ';', ':', '!', '"', '*']);
    let words: Vec<&str> = label.split_whitespace().collect();
    let label = words.join(" ");
    let is_short = (1..=MAX_WORDS).contains(&words.len()) && label.len() <= MAX_LABEL_BYTES;
    is_short.then_some(label)
}

/// Asks which of several texts a label fits.
pub(super) fn judge_prompt(label: &str, texts: &[String]) -> Prompt {
    Prompt {
        system: "You say whether texts are about a concept. For each numbered text you answer one \
                 line, `number: score`, with a score from -1 (certainly not) to 1 (certainly), and \
                 nothing else."
            .to_owned(),
        user: format!(
            "Concept: {label}\n\n{}\n\nScores of the {} texts:",
            numbered(texts, usize::MAX),
            texts.len()
        ),
    }
}

/// The scores of an answer to [`judge_prompt`], by text; `None` unless there is one for each of
/// them in -1..=1.
pub(super) fn read_scores(answer: &str, texts: usize) -> Option<Vec<f64>> {
    let mut scores: Vec<Option<f64>> = vec![None; texts];
    for line in answer.lines() {
        let Some((number, score)) = line.split_once(':') else {
            continue;
        };
        let number = number.trim().trim_matches(['`', '*', '-', '.', ' ']);
        let score = score.trim().trim_matches(['`', '*', ',']);
        if let (Ok(number), Ok(score)) = (number.parse::<usize>(), score.parse::<f64>())
            && (1..=texts).contains(&number)
            && (-1.0..=1.0).contains(&score)
        {
            scores[number - 1] = Some(score);
        }
    }
    scores.into_iter().collect()
}

/// Asks whether one text shows a concept. The form of the answer comes last: small models keep to that.
pub(super) fn holds_prompt(label: &str, text: &str) -> Prompt {
    Prompt {
        system: "You answer with one word: yes or no.".to_owned(),
        user: format!(
            "Text: {text}\n\nConcept: {label}\n\nDoes the text show the concept? Answer yes or no."
        ),
    }
}

/// What an answer to [`holds_prompt`] says: by its first word, which may stand in marks.
pub(super) fn read_yes_no(answer: &str) -> Option<bool> {
    let mut words = answer.split(|c: char| !c.is_alphanumeric());
    let first = words.find(|word| !word.is_empty())?;
    match first.to_lowercase().as_str() {
        "yes" => Some(true),
        "no" => Some(false),
        _ => None,
    }
}

/// Asks for a sentence that claims a difference of two sets of texts.
pub(super) fn sentence_prompt(label: &str, more: &str, fewer: &str) -> Prompt {
    Prompt {
        system:
            "You write one plain sentence that claims a difference between two sets of texts. You \
                 answer with the sentence alone."
                .to_owned(),
        user: format!(
            "The first set: {more}\nThe second set: {fewer}\nConcept: {label}\n\nTexts of the first set \
             show the concept more often than texts of the second. The sentence:"
        ),
    }
}

/// The sentence of an answer to [`sentence_prompt`]: its first line, unless that is no sentence or longer
/// than one has to be.
pub(super) fn clean_sentence(answer: &str) -> Option<String> {
    let line = answer
        .lines()
        .map(str::trim)
        .find(|line| !line.is_empty())?;
    let line = line.trim_matches(|c: char| {
        c.is_whitespace() || matches!(c, '"' | '*' | '`' | '\u{201c}' | '\u{201d}')
    });
    let words = line.split_whitespace().count();
    ((4..=MAX_SENTENCE_WORDS).contains(&words) && line.len() <= MAX_SENTENCE_BYTES)
        .then(|| line.to_owned())
}

/// Asks for a search query that is about a concept too, and less about another.
pub(super) fn rewrite_prompt(query: &str, up: &str, down: Option<&str>) -> Prompt {
    let less = down.map_or_else(String::new, |down| format!("\nLess about: {down}"));
    Prompt {
        system: "You rewrite search queries. You answer with the new query alone.".to_owned(),
        user: format!("Query: {query}\nMore about: {up}{less}\n\nThe new query:"),
    }
}

/// The query of an answer to [`rewrite_prompt`]: its first line, without a name before it.
pub(super) fn clean_query(answer: &str) -> Option<String> {
    let line = answer
        .lines()
        .map(str::trim)
        .find(|line| !line.is_empty())?;
    let head = line.split_once(':').map_or("", |(head, _)| head);
    let line = match head.to_lowercase().as_str() {
        "query" | "new query" | "the new query" => &line[head.len() + 1..],
        _ => line,
    };
    let line = line.trim_matches(|c: char| c.is_whitespace() || matches!(c, '"' | '*' | '`'));
    (!line.is_empty() && line.len() <= MAX_SENTENCE_BYTES).then(|| line.to_owned())
}

/// Asks which of several labels fit a property (arXiv 2512.10092, property-based retrieval).
pub(super) fn select_prompt(property: &str, labels: &[&str]) -> Prompt {
    Prompt {
        system: "You choose concepts that tell texts with a property from texts without it. You \
                 are given numbered concepts. You answer with the numbers of those that texts with \
                 the property are likely to show, the most telling first, with commas between \
                 them, and nothing else; with `none` where there is no such concept."
            .to_owned(),
        user: format!(
            "Property: {}\n\nConcepts:\n{}\n\nThe numbers:",
            excerpt(property, usize::MAX),
            numbered(labels, usize::MAX)
        ),
    }
}

/// Asks which of several concepts hits show more, or less, after steering (arXiv 2408.00657).
pub(super) fn pick_prompt(hits: &SteeredHits<'_>, characters: usize) -> Prompt {
    let (turned, than) = if hits.up {
        ("up", "more")
    } else {
        ("down", "less")
    };
    Prompt {
        system: "You compare two lists of search results. You answer with one number and nothing \
                 else."
            .to_owned(),
        user: format!(
            "First results:\n{}\n\nSecond results:\n{}\n\nFor the second results one of these \
             concepts was turned {turned}:\n{}\n\nThe number of the concept that the second \
             results show {than} than the first:",
            numbered(hits.before, characters),
            numbered(hits.after, characters),
            numbered(hits.options, usize::MAX)
        ),
    }
}

/// The places of an answer that is a list of numbers from 1 to `most`, each once, or `none`; `None`
/// for any other answer.
pub(super) fn read_numbers(answer: &str, most: usize) -> Option<Vec<usize>> {
    let answer = answer.trim().trim_end_matches('.');
    let bare = answer.strip_prefix('[').and_then(|a| a.strip_suffix(']'));
    let answer = bare.unwrap_or(answer).trim();
    if answer.trim_matches('`').eq_ignore_ascii_case("none") {
        return Some(Vec::new());
    }
    let mut places = Vec::new();
    for number in answer.split([',', '\n']) {
        let number: usize = number.trim().parse().ok()?;
        let place = number.checked_sub(1).filter(|&place| place < most)?;
        if places.contains(&place) {
            return None;
        }
        places.push(place);
    }
    Some(places)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_list_of_numbers_is_read_as_one() {
        for (answer, expected) in [
            ("3, 1,2", Some(vec![2, 0, 1])),
            ("[3]", Some(vec![2])),
            ("3\n1\n", Some(vec![2, 0])),
            ("none.", Some(Vec::new())),
            ("`None`", Some(Vec::new())),
            ("", None),
            ("0", None),
            ("4", None),
            ("1, 1", None),
            ("1, 2,", None),
            ("1 and 2", None),
            ("The numbers are 1, 2", None),
            ("1. games", None),
            ("-1", None),
        ] {
            assert_eq!(read_numbers(answer, 3), expected, "{answer:?}");
        }
    }

    #[test]
    fn ten_of_the_thirty_strongest_are_shown_and_the_same_each_time() {
        let texts: Vec<String> = (0..60).map(|at| format!("text{at}x")).collect();
        let evidence = Evidence {
            active: texts[..50]
                .iter()
                .map(|text| (Passage::whole(text), 1.0))
                .collect(),
            inactive: vec![Passage::whole("silent"); 12],
            seed: 5,
            ..Evidence::default()
        };
        let shown = Shown {
            documents: 10,
            characters: 300,
        };
        let prompt = label_prompt(&evidence, shown);
        let found: Vec<usize> = (0..50)
            .filter(|at| prompt.user.contains(&format!("text{at}x")))
            .collect();
        assert_eq!(found.len(), 10);
        assert!(found.iter().all(|&at| at < 30), "{found:?}");
        assert_eq!(prompt.user.matches("silent").count(), 10);
        assert_eq!(prompt, label_prompt(&evidence, shown));
        let other = Evidence {
            seed: 6,
            ..evidence
        };
        assert_ne!(prompt, label_prompt(&other, shown));
    }

    #[test]
    fn what_models_put_around_a_label_is_taken_off() {
        for (answer, expected) in [
            ("battery life", Some("battery life")),
            (
                "**Battery life.**\nBecause all texts...",
                Some("Battery life"),
            ),
            ("\n \"Label: late delivery\"", Some("late delivery")),
            (
                "Concept: \u{201c}late delivery\u{201d}",
                Some("late delivery"),
            ),
            ("The concept is late delivery.", Some("late delivery")),
            ("1. solar power", Some("1. solar power")),
            ("names of <<cities>>", Some("names of cities")),
            ("Conceptual art", Some("Conceptual art")),
            ("one two three four five six seven eight nine", None),
            ("...", None),
            ("", None),
        ] {
            assert_eq!(clean_label(answer).as_deref(), expected, "{answer:?}");
        }
    }

    #[test]
    fn scores_are_read_only_when_all_are_there() {
        assert_eq!(read_scores("1: 0.5\n2: -1", 2), Some(vec![0.5, -1.0]));
        assert_eq!(
            read_scores("Scores:\n`2`: 1\n1: 0,", 2),
            Some(vec![0.0, 1.0])
        );
        for answer in [
            "1: 0.5",
            "1: 0.5\n2: 7",
            "1: 0.5\n2: maybe",
            "1: NaN\n2: 1",
            "",
        ] {
            assert_eq!(read_scores(answer, 2), None, "{answer:?}");
        }
    }

    #[test]
    fn yes_and_no_are_read_by_the_first_word() {
        for (answer, expected) in [
            ("Yes", Some(true)),
            ("**No**, it does not", Some(false)),
            ("\n yes.", Some(true)),
            ("Nothing says so", None),
            ("It does: yes", None),
            ("", None),
        ] {
            assert_eq!(read_yes_no(answer), expected, "{answer:?}");
        }
    }

    #[test]
    fn sentences_are_one_line_of_a_sentences_length() {
        assert_eq!(
            clean_sentence("\n\"A praises food more often than B.\"\nBecause"),
            Some("A praises food more often than B.".to_owned())
        );
        assert_eq!(clean_sentence("praise of food"), None);
        assert_eq!(clean_sentence(&"word ".repeat(51)), None);
        assert_eq!(clean_sentence(""), None);
    }

    #[test]
    fn queries_are_one_line_without_a_name() {
        for (answer, expected) in [
            ("\n\"solar sails in orbit\"\n", Some("solar sails in orbit")),
            ("New query: solar sails", Some("solar sails")),
            ("GPU: faster kernels", Some("GPU: faster kernels")),
            ("", None),
        ] {
            assert_eq!(clean_query(answer).as_deref(), expected, "{answer:?}");
        }
    }

    #[test]
    fn excerpts_are_one_line() {
        assert_eq!(excerpt("a\n b\tc", 10), "a b c");
        assert_eq!(excerpt("äöü", 2), "äö...");
    }
}
