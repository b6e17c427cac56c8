//! Documents -> the passages of them that say why a latent is active (METHODS: windows).

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use latentdb_index::{LatentPosition, Snapshot};
use parking_lot::Mutex;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng};

use super::embedding::PhraseEncoder;
use crate::coder::TokenCoder;
use crate::error::{Error, Result};
use crate::label::{Embed as _, Passage, sentence_runs};
use crate::progress::Progress;
use crate::sae::Fit;
use crate::service::core::{Core, View};
use crate::vectors::dot;

/// How the passage of a document is found.
pub(in crate::service) enum Passages {
    /// All of it.
    Whole,
    /// The words around where the latent fires.
    Fired(Fires),
    /// The run of sentences nearest to the latent's centroid.
    Nearest(Nearest),
}

/// Where latents fire.
pub(in crate::service) enum Fires {
    /// As stored.
    Stored,
    /// As found by reading the texts again.
    Read {
        coder: Box<TokenCoder>,
        known: Mutex<HashMap<u32, Arc<[LatentPosition]>>>,
    },
}

pub(in crate::service) struct Nearest {
    encoder: PhraseEncoder,
    characters: usize,
    known: Mutex<HashMap<u32, Arc<Runs>>>,
}

/// The runs of sentences of a text, and their vectors of unit length.
type Runs = Vec<(Range<usize>, Vec<f32>)>;

impl Passages {
    /// How passages of a view's documents are found for someone who reads so many characters of each,
    /// or all where that is `None`. Blocks where a model has to be opened.
    ///
    /// # Errors
    /// `FailedPrecondition` where no positions are stored and the reader cannot be had.
    pub fn of_view(core: &Core, view: &View, characters: Option<usize>) -> Result<Self> {
        if let (Some(reader), Some(sae)) = (view.reader(), view.sae()) {
            if reader.positions {
                return Ok(Self::Fired(Fires::Stored));
            }
            let mut with_positions = reader.clone();
            with_positions.positions = true;
            let sae = core.models.sae(&sae.sha256)?;
            let coder = core.readers.coder(sae, &with_positions).map_err(|error| {
                let message = format!(
                    "collection {:?} stores no positions, so that its texts have to be read again to \
                     see where latents fire, and its reader cannot be had: {error}; bring the model \
                     back, or make the collection with positions",
                    view.name()
                );
                Error::precondition(message).with_source(error)
            })?;
            return Ok(Self::Fired(Fires::Read {
                coder: Box::new(coder),
                known: Mutex::default(),
            }));
        }
        match (characters, core.encoder_of(view)?) {
            (Some(characters), Some(encoder)) => Ok(Self::Nearest(Nearest {
                encoder: PhraseEncoder(encoder.encoder().clone()),
                characters,
                known: Mutex::default(),
            })),
            _ => Ok(Self::Whole),
        }
    }

    /// Whether texts are read again by a model, which takes a while for each.
    pub fn reads_again(&self) -> bool {
        matches!(self, Self::Fired(Fires::Read { .. }))
    }

    /// The passages of documents that activate a latent, or do not: these are as long, and as near to
    /// the centroid, as passages of active ones, so that nothing else tells them apart.
    ///
    /// # Errors
    /// `Cancelled`, and what reading and encoding give.
    pub fn of<'t>(
        &self,
        snapshot: &Snapshot,
        latent: u32,
        documents: &[(u32, &'t str)],
        is_active: bool,
        progress: &Progress,
    ) -> Result<Vec<Passage<'t>>> {
        match self {
            Self::Whole => Ok(documents
                .iter()
                .map(|(_, text)| Passage::whole(text))
                .collect()),
            Self::Fired(_) if !is_active => Ok(documents
                .iter()
                .map(|&(doc, text)| somewhere(text, u64::from(doc) ^ u64::from(latent) << 32))
                .collect()),
            Self::Fired(fires) => fires.around(snapshot, latent, documents, progress),
            Self::Nearest(nearest) => {
                let centroids = snapshot.centroids();
                documents
                    .iter()
                    .map(|&(doc, text)| nearest.part(doc, text, centroids.get(latent)))
                    .collect()
            }
        }
    }
}

/// A window of a text in which the latent does not fire.
fn somewhere(text: &str, seed: u64) -> Passage<'_> {
    let starts: Vec<usize> = text.char_indices().map(|(at, _)| at).collect();
    let Some(last) = starts.len().checked_sub(1) else {
        return Passage::whole(text);
    };
    let at = starts[StdRng::seed_from_u64(seed).random_range(0..=last)];
    let mut passage = Passage::around(text, Some(at..at + 1));
    passage.fired.clear();
    passage
}

impl Fires {
    fn around<'t>(
        &self,
        snapshot: &Snapshot,
        latent: u32,
        documents: &[(u32, &'t str)],
        progress: &Progress,
    ) -> Result<Vec<Passage<'t>>> {
        if let Self::Read { coder, known } = self {
            let missing: Vec<(u32, &str)> = {
                let known = known.lock();
                let missing = documents.iter().filter(|(doc, _)| !known.contains_key(doc));
                missing.copied().collect()
            };
            let texts: Vec<&str> = missing.iter().map(|(_, text)| *text).collect();
            let codes = coder.encode(&texts, 0, &mut Fit::default(), progress)?;
            let read = missing.iter().zip(codes);
            let read = read.map(|(&(doc, _), codes)| (doc, codes.positions.into()));
            known.lock().extend(read);
        }
        let mut passages = Vec::with_capacity(documents.len());
        for &(doc, text) in documents {
            let positions: Arc<[LatentPosition]> = match self {
                Self::Stored => match snapshot.stored(doc)?.codes.into_iter().next() {
                    Some(codes) => codes.positions.into(),
                    None => Arc::default(),
                },
                Self::Read { known, .. } => known.lock().get(&doc).cloned().unwrap_or_default(),
            };
            let own = positions
                .iter()
                .filter(|position| position.latent == latent);
            passages.push(Passage::around(text, own.map(|own| bytes(text, own))));
        }
        Ok(passages)
    }
}

/// The bytes of a position's characters.
fn bytes(text: &str, position: &LatentPosition) -> Range<usize> {
    let byte = |character: u32| {
        let at = text.char_indices().nth(character as usize);
        at.map_or(text.len(), |(byte, _)| byte)
    };
    byte(position.start)..byte(position.end)
}

impl Nearest {
    fn part<'t>(&self, doc: u32, text: &'t str, centroid: Option<&[f32]>) -> Result<Passage<'t>> {
        let is_long = text.char_indices().nth(self.characters).is_some();
        let (true, Some(centroid)) = (is_long, centroid) else {
            return Ok(Passage::whole(text));
        };
        let runs = self.runs(doc, text)?;
        let near = |run: &&(Range<usize>, Vec<f32>)| dot(&run.1, centroid);
        let nearest = runs.iter().max_by(|a, b| near(a).total_cmp(&near(b)));
        Ok(match nearest {
            Some((run, _)) => Passage::whole(&text[run.clone()]),
            None => Passage::whole(text),
        })
    }

    fn runs(&self, doc: u32, text: &str) -> Result<Arc<Runs>> {
        if let Some(known) = self.known.lock().get(&doc) {
            return Ok(known.clone());
        }
        let runs = sentence_runs(text, self.characters);
        let texts: Vec<String> = runs
            .iter()
            .map(|run| text[run.clone()].to_owned())
            .collect();
        let vectors = self.encoder.passages(&texts)?;
        let runs: Arc<Runs> = Arc::new(runs.into_iter().zip(vectors).collect());
        self.known.lock().insert(doc, runs.clone());
        Ok(runs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_of_inactive_documents_are_as_long_and_unmarked() {
        let text: String = (0..500).map(|at| format!("word{at} ")).collect();
        for seed in 0..50 {
            let passage = somewhere(&text, seed);
            assert!(passage.fired.is_empty());
            let words = passage.text.split_whitespace().count();
            assert!((33..=65).contains(&words), "{words}");
        }
        assert_eq!(somewhere("", 1), Passage::whole(""));
        assert_eq!(somewhere("é", 1), Passage::whole("é"));
    }

    #[test]
    fn positions_count_characters() {
        let position = LatentPosition {
            latent: 1,
            token: 2,
            start: 3,
            end: 9,
        };
        let text = "é à Beyrouth";
        assert_eq!(&text[bytes(text, &position)], " Beyro");
        assert_eq!(bytes("é", &position), 2..2);
    }
}
