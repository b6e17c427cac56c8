//! Contrastive keyphrases: what the documents that activate a latent say and others do not.
//!
//! Phrases of one to four words are compared by their activation-weighted document frequency among
//! documents of a latent, of every strength, and over the collection, by the log-odds ratio with an
//! informative Dirichlet prior (Monroe, Colaresi and Quinn, 2008): candidates are those with the
//! largest z-score, which needs no threshold on rare words. Near-copies count once. Runs of words that
//! meet by chance are left out, parts of a longer phrase give way to it, and the spelling is the one that
//! the documents use most. Where the words are known on which the latent fires, a phrase counts less the
//! further it is from them.
//!
//! Where a latent fires on one word in most of its documents, that is its name (`fired`). Else chosen are
//! the phrases that tell best, by F1, which of some other documents of several strengths activate the
//! latent (`check`), and whose meaning is nearest to where its documents lie; a latent that none of them
//! tells, and one that fires on a fifth of all documents, get no name. Documents that are alike in form
//! rather than in words are named by it first (`form`).

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicU32, Ordering};

use rayon::prelude::*;

use super::check::{Check, Phrase, Seen};
use super::fired::fired_name;
use super::form::Forms;
use super::phrases::{Word, for_each_phrase, is_written, phrase_key, written};
use super::{
    Annotator, Embed, Evidence, Labeller, MAX_WORDS, Naming, Passage, Vocabulary,
    without_near_copies,
};
use crate::error::Result;
use crate::progress::Progress;

/// What standing out most is worth, in F1: people see it in the documents.
const Z_BONUS: f64 = 0.25;

/// Options of keyphrase labels.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct KeyphraseOptions {
    /// Documents of a latent that are read, near-copies left out.
    pub documents: usize,
    /// Documents of those in which a phrase must stand.
    pub support: usize,
    /// Of five parts of other documents, by activation, the number in which a phrase or its meaning has to
    /// tell some.
    pub parts: usize,
    /// Maximum phrases of a label.
    pub phrases: usize,
    /// Weight of the prior, in documents.
    pub prior: f64,
    /// Normalised pointwise mutual information of the words of a phrase, at least; below it they
    /// stand side by side by chance.
    pub cohesion: f64,
    /// Phrases that are checked.
    pub candidates: usize,
    /// F1 on the checked documents, of which a fifth are active, below which there is no name. Of a
    /// phrase that stands everywhere it is a third.
    pub least_f1: f64,
    /// Share of all documents from which on a latent is too common to be named.
    pub common: f64,
}

impl Default for KeyphraseOptions {
    fn default() -> Self {
        Self {
            documents: 120,
            support: 3,
            parts: 3,
            phrases: 3,
            prior: 20.0,
            cohesion: 0.15,
            candidates: 16,
            least_f1: 0.4,
            common: 0.2,
        }
    }
}

/// The built-in labeller; no model is asked.
pub struct Keyphrases<'a> {
    vocabulary: Vocabulary,
    options: KeyphraseOptions,
    background: Background,
    forms: Forms,
    embed: Option<&'a dyn Embed>,
}

/// Documents of the collection that hold a phrase, for the phrases that any label may need.
struct Background {
    counts: HashMap<u64, AtomicU32>,
    n_texts: f64,
}

/// A phrase of a latent's documents.
#[derive(Debug)]
struct Candidate {
    /// Identifies it.
    key: u64,
    /// As the documents write it.
    text: String,
    /// Its content words, folded.
    words: HashSet<String>,
    /// Weighted share of the latent's documents that hold it.
    share: f64,
    /// How far it stands out.
    z: f64,
}

/// What is counted of a phrase in a latent's documents.
struct Found {
    /// Spellings and how often each stands.
    spellings: Vec<(String, u32)>,
    /// Keys of its content words.
    parts: Vec<u64>,
    weight: f64,
    support: usize,
}

impl<'a> Keyphrases<'a> {
    /// The name that its labels have as their source.
    pub const SOURCE: &'static str = "keyphrases";

    /// A labeller for the latents of `evidence`, over all `texts` of the collection in its language. With `embed`,
    /// labels are chosen among the phrases by meaning.
    ///
    /// ```
    /// use latentdb::progress::Progress;
    /// use latentdb::label::{
    ///     Evidence, KeyphraseOptions, Keyphrases, Labeller, Passage, Vocabulary,
    /// };
    ///
    /// let mut texts = vec![
    ///     "the battery life is short",
    ///     "short battery life again",
    ///     "such poor battery life",
    /// ];
    /// texts.extend(["the film was long"; 40]);
    /// let evidence = Evidence {
    ///     active: texts[..3].iter().map(|text| (Passage::whole(text), 0.8)).collect(),
    ///     ..Evidence::default()
    /// };
    /// let keyphrases = Keyphrases::over(
    ///     Vocabulary::default(),
    ///     std::slice::from_ref(&evidence),
    ///     &texts,
    ///     KeyphraseOptions::default(),
    ///     None,
    /// );
    /// let label = keyphrases.label(&evidence, &Progress::default())?;
    /// assert_eq!(label.name().as_deref(), Some("battery life"));
    /// # Ok::<(), latentdb::error::Error>(())
    /// ```
    pub fn over(
        vocabulary: Vocabulary,
        evidence: &[Evidence<'_>],
        texts: &[&str],
        options: KeyphraseOptions,
        embed: Option<&'a dyn Embed>,
    ) -> Self {
        let wanted: HashSet<u64> = evidence
            .par_iter()
            .map(|evidence| {
                let found = phrases_of(&vocabulary, evidence, &options).0;
                let keys = found.into_iter();
                keys.flat_map(|(key, found)| found.parts.into_iter().chain([key]))
                    .collect::<HashSet<u64>>()
            })
            .reduce(HashSet::new, |mut left, right| {
                left.extend(right);
                left
            });
        Self {
            background: Background::count(&vocabulary, wanted, texts),
            forms: Forms::over(vocabulary.clone(), texts),
            vocabulary,
            options,
            embed,
        }
    }

    /// The phrases that stand out in a latent's documents, those that do most first.
    fn candidates(&self, evidence: &Evidence<'_>) -> Vec<Candidate> {
        let (found, mass) = phrases_of(&self.vocabulary, evidence, &self.options);
        let mut candidates: Vec<Candidate> = found
            .into_iter()
            .filter(|(key, found)| {
                found.parts.len() < 2
                    || self.background.cohesion(*key, &found.parts) >= self.options.cohesion
            })
            .filter_map(|(key, found)| {
                let count = self.background.count_of(key);
                let z = z_score(
                    found.weight,
                    mass,
                    count,
                    self.background.n_texts,
                    self.options.prior,
                );
                (z > 1.0).then(|| Candidate {
                    key,
                    share: found.weight / mass,
                    z,
                    words: content_words(&self.vocabulary, &found),
                    text: spelling(found.spellings),
                })
            })
            .collect();
        candidates.sort_by(|a, b| b.z.total_cmp(&a.z).then_with(|| a.text.cmp(&b.text)));
        without_parts(candidates)
    }

    /// The best phrases by how far they stand out alone.
    fn by_contrast(&self, candidates: &[Candidate]) -> Vec<usize> {
        let mut chosen = Vec::new();
        let least = candidates.first().map_or(0.0, |best| 0.4 * best.z);
        for (at, candidate) in candidates.iter().enumerate() {
            if chosen.len() < self.options.phrases
                && candidate.z >= least
                && fits(candidates, &chosen, candidate)
            {
                chosen.push(at);
            }
        }
        chosen
    }

    /// The phrases that together tell best which of the checked documents activate the latent, and
    /// their F1 there.
    fn by_check(
        &self,
        candidates: &[Candidate],
        evidence: &Evidence<'_>,
    ) -> Result<(Vec<usize>, f64)> {
        let phrases: Vec<Phrase<'_>> = candidates
            .iter()
            .map(|candidate| Phrase {
                key: candidate.key,
                text: &candidate.text,
            })
            .collect();
        let check = Check::of(&self.vocabulary, &phrases, evidence, self.embed)?;
        let strongest = candidates.first().map_or(1.0, |best| best.z);
        let mut chosen: Vec<usize> = Vec::new();
        let mut reached = 0.0;
        while chosen.len() < self.options.phrases {
            let best = candidates
                .iter()
                .enumerate()
                .filter(|(_, candidate)| fits(candidates, &chosen, candidate))
                .map(|(at, candidate)| {
                    let set = [chosen.as_slice(), &[at]].concat();
                    let f1 = check.f1(&set);
                    let near = check.nearness(&set);
                    (at, f1, f1 + near + Z_BONUS * (candidate.z / strongest))
                })
                .filter(|(at, ..)| {
                    check.parts_told(&[chosen.as_slice(), &[*at]].concat()) >= self.options.parts
                })
                .max_by(|a, b| a.2.total_cmp(&b.2).then(b.0.cmp(&a.0)));
            let Some((at, f1, _)) = best else { break };
            // A second phrase shows what a first one means, even where it adds nothing to it.
            let least = match chosen.len() {
                0 => 0.0,
                1 if candidates[at].z >= 0.4 * strongest => reached - 0.01,
                _ => reached + 0.01,
            };
            if f1 < least {
                break;
            }
            reached = f1;
            chosen.push(at);
        }
        Ok((chosen, reached))
    }
}

impl Keyphrases<'_> {
    /// The forms of a latent's documents, and the phrases that add something to them.
    fn with_forms(&self, evidence: &Evidence<'_>, phrases: &[&Candidate]) -> Option<String> {
        let read = read(evidence, &self.options);
        let documents: Vec<(&str, f32)> = read
            .iter()
            .map(|(text, activation)| (text.text.as_ref(), *activation))
            .collect();
        let forms = self.forms.of(&documents);
        let least = forms
            .iter()
            .map(|form| form.least_phrase)
            .fold(0.0, f64::max);
        let phrases = phrases.iter().filter(|phrase| phrase.share >= least);
        let forms = forms.iter().map(|form| form.text.as_str());
        let mut words = 0;
        let mut parts: Vec<&str> = Vec::new();
        for part in forms.chain(phrases.map(|phrase| phrase.text.as_str())) {
            words += part.split(' ').count();
            if parts.len() < self.options.phrases && words <= MAX_WORDS {
                parts.push(part);
            }
        }
        (!parts.is_empty()).then(|| parts.join(", "))
    }
}

impl Annotator for Keyphrases<'_> {
    fn name(&self) -> String {
        Self::SOURCE.to_owned()
    }

    fn concurrency(&self) -> usize {
        std::thread::available_parallelism().map_or(1, usize::from)
    }
}

impl Labeller for Keyphrases<'_> {
    fn label(&self, evidence: &Evidence<'_>, _progress: &Progress) -> Result<Naming> {
        if let Some(name) = fired_name(&self.vocabulary, evidence) {
            return Ok(Naming::Name(name));
        }
        if evidence.share >= self.options.common {
            return Ok(Naming::None(
                "it is active in a fifth of all documents or more: too common for phrases to name",
            ));
        }
        let mut candidates = self.candidates(evidence);
        candidates.truncate(self.options.candidates);
        let can_check = Seen::enough(&evidence.checks);
        let chosen = match can_check && !candidates.is_empty() {
            true => {
                let (chosen, f1) = self.by_check(&candidates, evidence)?;
                // What is said of their form may still hold.
                if f1 < self.options.least_f1 {
                    return Ok(match self.with_forms(evidence, &[]) {
                        Some(name) => Naming::Name(name),
                        None => {
                            Naming::None("no phrase tells which of other documents activate it")
                        }
                    });
                }
                chosen
            }
            false => self.by_contrast(&candidates),
        };
        let phrases: Vec<&Candidate> = chosen.iter().map(|&at| &candidates[at]).collect();
        Ok(match self.with_forms(evidence, &phrases) {
            Some(name) => Naming::Name(name),
            None => Naming::None("no phrase sets its documents apart"),
        })
    }
}

impl Background {
    fn count(vocabulary: &Vocabulary, wanted: HashSet<u64>, texts: &[&str]) -> Self {
        let counts: HashMap<u64, AtomicU32> = wanted
            .into_iter()
            .map(|key| (key, AtomicU32::new(0)))
            .collect();
        texts.par_iter().for_each(|text| {
            let mut seen = HashSet::new();
            for_each_phrase(vocabulary, text, |words| {
                let key = phrase_key(words);
                if let Some(count) = counts.get(&key)
                    && seen.insert(key)
                {
                    count.fetch_add(1, Ordering::Relaxed);
                }
            });
        });
        Self {
            counts,
            n_texts: texts.len() as f64,
        }
    }

    fn count_of(&self, key: u64) -> f64 {
        let count = self.counts.get(&key);
        count.map_or(0.0, |count| f64::from(count.load(Ordering::Relaxed)))
    }

    /// Pointwise mutual information of a phrase's words over its largest value: 1 where none of
    /// them ever stands without the others, 0 where they meet by chance.
    fn cohesion(&self, key: u64, parts: &[u64]) -> f64 {
        let share = |count: f64| (count.max(1.0) / self.n_texts.max(1.0)).ln();
        let together = share(self.count_of(key));
        let apart: f64 = parts.iter().map(|&part| share(self.count_of(part))).sum();
        let most = -together * (parts.len() - 1) as f64;
        (together - apart) / most.max(1e-9)
    }
}

/// The documents that are read of a latent's: near-copies count once, unless three in four are copies,
/// which then is what they have in common; of more than are read, every strength stays.
fn read<'e, 'a>(
    evidence: &'e Evidence<'a>,
    options: &KeyphraseOptions,
) -> Vec<&'e (Passage<'a>, f32)> {
    let texts: Vec<&str> = evidence
        .active
        .iter()
        .map(|(text, _)| text.text.as_ref())
        .collect();
    let mut kept = without_near_copies(&texts);
    if 4 * kept.len() <= texts.len() {
        kept = (0..texts.len()).collect();
    }
    let most = options.documents.min(kept.len());
    (0..most)
        .map(|at| &evidence.active[kept[at * kept.len() / most]])
        .collect()
}

/// How near to the words on which the latent fires a phrase stands: 1 on them, half at 24 bytes, about
/// four words; 1 where they are not known.
fn closeness(passage: &Passage<'_>, words: &[Word<'_>]) -> f64 {
    let (Some(first), Some(last)) = (words.first(), words.last()) else {
        return 0.0;
    };
    let start = passage.text.as_ptr() as usize;
    let from = first.surface.as_ptr() as usize - start;
    let to = last.surface.as_ptr() as usize - start + last.surface.len();
    let distance = |mark: &std::ops::Range<usize>| {
        mark.start
            .saturating_sub(to)
            .max(from.saturating_sub(mark.end))
    };
    let nearest = passage.fired.iter().map(distance).min();
    nearest.map_or(1.0, |bytes| (-(bytes as f64) / 24.0).exp2())
}

/// The phrases of a latent's documents, by key, and the sum of the documents' weights: activations
/// over the strongest.
fn phrases_of(
    vocabulary: &Vocabulary,
    evidence: &Evidence<'_>,
    options: &KeyphraseOptions,
) -> (HashMap<u64, Found>, f64) {
    let documents = read(evidence, options);
    let strongest = documents
        .iter()
        .map(|document| document.1)
        .fold(f32::MIN_POSITIVE, f32::max);
    let mut phrases: HashMap<u64, Found> = HashMap::new();
    let mut mass = 0.0;
    for (passage, activation) in &documents {
        let weight = f64::from(activation / strongest);
        mass += weight;
        // How near each phrase comes to where the latent fires.
        let mut seen: HashMap<u64, f64> = HashMap::new();
        for_each_phrase(vocabulary, &passage.text, |words| {
            if matches!(words, [word] if word.is_character()) {
                return;
            }
            let key = phrase_key(words);
            let found = phrases.entry(key).or_insert_with(|| Found {
                spellings: Vec::new(),
                parts: words
                    .iter()
                    .filter(|word| word.is_content())
                    .map(|word| phrase_key(std::slice::from_ref(word)))
                    .collect(),
                weight: 0.0,
                support: 0,
            });
            let near = closeness(passage, words);
            let before = seen.insert(key, near);
            if before.is_none() {
                found.support += 1;
            }
            let before = before.unwrap_or(0.0);
            if near > before {
                found.weight += weight * (near - before);
            } else {
                seen.insert(key, before);
            }
            // Of every place it stands at: titles are written large, the text below them is not.
            let mut spellings = found.spellings.iter_mut();
            match spellings.find(|spelling| is_written(words, &spelling.0)) {
                Some(spelling) => spelling.1 += 1,
                None => found.spellings.push((written(words), 1)),
            }
        });
    }
    phrases.retain(|_, found| found.support >= options.support);
    (phrases, mass)
}

/// z of the log-odds ratio of a phrase between the latent's documents and all documents, with the
/// collection's own frequencies as the prior.
fn z_score(inside: f64, mass: f64, count: f64, n_texts: f64, prior: f64) -> f64 {
    let alpha = (prior * count / n_texts).max(1e-3);
    let odds =
        |count: f64, total: f64| ((count + alpha) / (total + prior - count - alpha).max(1e-3)).ln();
    let difference = odds(inside, mass) - odds(count, n_texts);
    difference / (1.0 / (inside + alpha) + 1.0 / (count + alpha)).sqrt()
}

fn content_words(vocabulary: &Vocabulary, found: &Found) -> HashSet<String> {
    let mut words = HashSet::new();
    for (spelling, _) in &found.spellings {
        for_each_phrase(vocabulary, spelling, |run| {
            if let [word] = run {
                let parts = word.surface.split('-').filter(|part| !part.is_empty());
                words.extend(parts.map(|part| vocabulary.fold(part)));
            }
        });
    }
    words
}

/// The spelling that stands most often; a plain one where it is not rare, since the first word of a
/// sentence is written large whatever it is.
fn spelling(mut spellings: Vec<(String, u32)>) -> String {
    let all: u32 = spellings.iter().map(|(_, count)| count).sum();
    spellings.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| b.0.cmp(&a.0)));
    let plain = spellings
        .iter()
        .position(|(text, count)| !text.chars().any(char::is_uppercase) && 4 * count >= all);
    spellings.swap_remove(plain.unwrap_or(0)).0
}

/// Leaves out the phrases that stand inside a longer one in most of their documents ("machine" of
/// "machine learning"), and those whose words another has that stands out more.
fn without_parts(candidates: Vec<Candidate>) -> Vec<Candidate> {
    let is_part = |part: &Candidate, whole: &Candidate| {
        whole.words.len() > part.words.len()
            && whole.share >= 0.6 * part.share
            && part.words.is_subset(&whole.words)
    };
    let mut kept: Vec<Candidate> = Vec::new();
    let parts: Vec<bool> = candidates
        .iter()
        .map(|part| candidates.iter().any(|whole| is_part(part, whole)))
        .collect();
    for (candidate, is_part) in candidates.into_iter().zip(parts) {
        if !is_part && !kept.iter().any(|other| other.words == candidate.words) {
            kept.push(candidate);
        }
    }
    kept
}

/// Whether a phrase adds words to the chosen ones, and the label stays short.
fn fits(candidates: &[Candidate], chosen: &[usize], candidate: &Candidate) -> bool {
    let words = |candidate: &Candidate| candidate.text.split(' ').count();
    let length: usize = chosen.iter().map(|&at| words(&candidates[at])).sum();
    length + words(candidate) <= MAX_WORDS
        && chosen
            .iter()
            .all(|&at| !say_the_same(&candidates[at].words, &candidate.words))
}

/// Whether two phrases share a word, or words of one root: "persuasion" and "persuasive".
fn say_the_same(left: &HashSet<String>, right: &HashSet<String>) -> bool {
    let same_root = |a: &str, b: &str| {
        let alike = a.chars().zip(b.chars()).take_while(|(a, b)| a == b).count();
        let longest = a.chars().count().max(b.chars().count());
        a == b || (alike >= 5 && 3 * alike >= 2 * longest)
    };
    left.iter().any(|a| right.iter().any(|b| same_root(a, b)))
}

#[cfg(test)]
mod tests;
