//! The one pipeline of writes: what a write brings is checked, texts become vectors, vectors and texts
//! become the codes of each SAE, and the gates judge the fit.

use std::sync::Arc;

use latentdb_index::{Codes, Document, Progress, Update};

use super::Documents;
use crate::error::{Error, Result, Within as _};
use crate::reading::Role;
use crate::sae::{self, Fit};
use crate::service::blocking;
use crate::service::coder::{Coder, Source};
use crate::service::core::View;
use crate::service::gate;
use crate::service::models::beyond_storage;
use crate::vectors::norm;

/// The parts of a document that models make from one another.
#[derive(Default)]
pub(super) struct Draft {
    text: Option<String>,
    vector: Option<Vec<f32>>,
    /// By the collection's SAEs; `None` is made from the vector or the text, where there is one.
    codes: Vec<Option<Codes>>,
}

/// What a write brings of a document: a whole one, or an update.
pub(super) trait Incomplete: Send + 'static {
    /// The field of the request it stands in.
    const FIELD: &str;
    fn validate(&self, dimension: Option<usize>, n_latents: &[usize]) -> Result<()>;
    /// Takes what models work on.
    fn take(&mut self) -> Draft;
    /// Puts it back, completed.
    fn complete(&mut self, draft: Draft);
}

impl Incomplete for Document {
    const FIELD: &str = "documents";

    fn validate(&self, dimension: Option<usize>, n_latents: &[usize]) -> Result<()> {
        Document::validate(self, dimension, n_latents)
    }

    fn take(&mut self) -> Draft {
        let codes = std::mem::take(&mut self.codes).into_iter();
        Draft {
            text: self.text.take(),
            vector: self.vector.take(),
            // Without latents, the server makes them.
            codes: codes
                .map(|codes| (!codes.latents.is_empty()).then_some(codes))
                .collect(),
        }
    }

    fn complete(&mut self, draft: Draft) {
        (self.text, self.vector) = (draft.text, draft.vector);
        self.codes = draft
            .codes
            .into_iter()
            .map(Option::unwrap_or_default)
            .collect();
    }
}

impl Incomplete for Update {
    const FIELD: &str = "updates";

    fn validate(&self, dimension: Option<usize>, n_latents: &[usize]) -> Result<()> {
        Update::validate(self, dimension, n_latents)
    }

    fn take(&mut self) -> Draft {
        Draft {
            text: self.text.take(),
            vector: self.vector.take(),
            codes: std::mem::take(&mut self.codes),
        }
    }

    fn complete(&mut self, draft: Draft) {
        (self.text, self.vector, self.codes) = (draft.text, draft.vector, draft.codes);
    }
}

impl Documents {
    /// Checks what a write brings and adds what the collection's models make of it; and how many texts have more tokens
    /// than the encoder reads. Dropping the future gives the work up.
    ///
    /// # Errors
    /// `InvalidArgument` naming the field, `FailedPrecondition` where an SAE does not fit.
    pub(super) async fn complete<T: Incomplete>(
        self: &Arc<Self>,
        view: &View,
        mut items: Vec<T>,
    ) -> Result<(Vec<T>, usize)> {
        self.validate(view, &items)?;
        let mut drafts: Vec<Draft> = items.iter_mut().map(T::take).collect();
        let cut = self.add_vectors(view, &mut drafts, T::FIELD).await?;
        for space in view.spaces()? {
            let progress = Arc::new(Progress::default());
            let _waiting = progress.stop_on_drop();
            let documents = self.clone();
            drafts =
                blocking(move || documents.add_codes(&space, drafts, T::FIELD, &progress)).await?;
        }
        for (item, draft) in items.iter_mut().zip(drafts) {
            item.complete(draft);
        }
        Ok((items, cut))
    }

    /// Checks what a write brings against a collection.
    ///
    /// # Errors
    /// `InvalidArgument` naming the field.
    pub(super) fn validate<T: Incomplete>(&self, view: &View, items: &[T]) -> Result<()> {
        let n_latents = view.spec.record.n_latents();
        for (at, item) in items.iter().enumerate() {
            item.validate(view.spec.record.dimension, &n_latents)
                .within(&format!("{}[{at}]", T::FIELD))?;
        }
        Ok(())
    }

    /// As [`Self::complete`] for the documents that can be written; the others come back last, by their place with the
    /// reason.
    ///
    /// # Errors
    /// What concerns all of them, such as an SAE that does not fit.
    pub(super) async fn complete_good(
        self: &Arc<Self>,
        view: &View,
        documents: Vec<Document>,
    ) -> Result<(Vec<Document>, usize, Vec<(usize, Error)>)> {
        let n_latents = view.spec.record.n_latents();
        let (mut good, mut places, mut bad) = (Vec::new(), Vec::new(), Vec::new());
        for (place, document) in documents.into_iter().enumerate() {
            match document.validate(view.spec.record.dimension, &n_latents) {
                Ok(()) => {
                    good.push(document);
                    places.push(place);
                }
                Err(error) => bad.push((place, error)),
            }
        }
        while !good.is_empty() {
            // What only its codes tell of a document is rare, and then all are encoded again.
            let error = match self.complete(view, good.clone()).await {
                Ok((documents, cut)) => return Ok((documents, cut, bad)),
                Err(error) => error,
            };
            let Some((at, field)) = item_at_fault(&error, Document::FIELD) else {
                return Err(error);
            };
            good.remove(at);
            bad.push((places.remove(at), Error::invalid(field, error.message())));
        }
        Ok((good, 0, bad))
    }

    /// Adds the vectors of texts that came without, where the collection has an encoder, and says of how many texts it
    /// reads the beginning alone.
    ///
    /// # Errors
    /// `InvalidArgument` naming a text that has no direction, as one without a known word has under static vectors.
    async fn add_vectors(
        self: &Arc<Self>,
        view: &View,
        drafts: &mut [Draft],
        field: &str,
    ) -> Result<usize> {
        let without =
            |(_, draft): &(usize, &mut Draft)| draft.vector.is_none() && draft.text.is_some();
        let texts: Vec<String> = drafts
            .iter()
            .filter(|draft| draft.vector.is_none())
            .filter_map(|draft| draft.text.clone())
            .collect();
        if view.encoder().is_none() || texts.is_empty() {
            return Ok(0);
        }
        let (documents, owned) = (self.clone(), view.clone());
        let encoder = blocking(move || documents.core.encoder_of(&owned)).await?;
        let Some(encoder) = encoder else {
            return Ok(0);
        };
        let reads = encoder.encoder().clone();
        let (texts, cut) = blocking(move || {
            let all: Vec<&str> = texts.iter().map(String::as_str).collect();
            let cut = reads.count_cut(&all)?;
            Ok((texts, cut))
        })
        .await?;
        let vectors = encoder.encode(texts, Role::Document).await?;
        let drafts = drafts.iter_mut().enumerate().filter(without);
        for ((at, draft), vector) in drafts.zip(vectors) {
            if norm(&vector) == 0.0 {
                return Err(Error::invalid(
                    format!("{field}[{at}].text"),
                    "has no word that the encoder knows, and so no vector; write it without a text, or with a vector",
                ));
            }
            draft.vector = Some(vector);
        }
        Ok(cut)
    }

    /// Adds the codes of a view's SAE to drafts that have none of it and what it reads, and judges
    /// how it fits them. Blocks.
    fn add_codes(
        &self,
        view: &View,
        mut drafts: Vec<Draft>,
        field: &str,
        progress: &Progress,
    ) -> Result<Vec<Draft>> {
        let Some(entry) = view.list_entry().filter(|entry| entry.sae.is_some()) else {
            return Ok(drafts);
        };
        let place = view.place;
        for draft in &mut drafts {
            draft.codes.resize(draft.codes.len().max(place + 1), None);
        }
        let reads_tokens = entry.reader.is_some();
        let sources: Vec<Source<'_>> = drafts
            .iter()
            .map(|draft| match &draft.codes[place] {
                Some(_) => Source::default(),
                None if reads_tokens => Source {
                    text: draft.text.as_deref(),
                    vector: None,
                },
                None => Source {
                    text: None,
                    vector: draft.vector.as_deref(),
                },
            })
            .collect();
        let mut made = vec![None; drafts.len()];
        if sources
            .iter()
            .any(|s| s.text.is_some() || s.vector.is_some())
        {
            // Side by side, batches of texts would share the cores and finish no earlier.
            let _one = reads_tokens.then(|| self.reading.lock());
            let coder = match (&entry.sae, &entry.reader) {
                (Some(sae), Some(reader)) => {
                    let sae = self.core.models.sae(&sae.sha256)?;
                    Coder::Tokens(self.core.readers.coder(sae, reader)?)
                }
                _ => Coder::Vectors(self.core.required_sae(view)?),
            };
            let room = if reads_tokens { self.gates.room() } else { 0 };
            let mut fit = Fit::default();
            made = coder.encode(&sources, room, &mut fit, progress)?;
            for (at, codes) in made.iter().enumerate() {
                if let Some(what) = codes
                    .as_ref()
                    .and_then(|codes| beyond_storage(&codes.latents))
                {
                    return Err(Error::invalid(format!("{field}[{at}]"), what));
                }
            }
            self.gates.admit_fit(view, coder.sae(), &fit)?;
        }
        for (draft, codes) in drafts.iter_mut().zip(made) {
            if codes.is_some() {
                draft.codes[place] = codes;
            }
        }
        if !reads_tokens {
            self.judge_vectors(view, &drafts)?;
        }
        Ok(drafts)
    }

    /// Judges how a view's SAE fits vectors that are about to be written.
    fn judge_vectors(&self, view: &View, drafts: &[Draft]) -> Result<()> {
        let (mut vectors, mut codes) = (Vec::new(), sae::Codes::new());
        let coded = drafts.iter().filter_map(|draft| {
            let codes = draft.codes.get(view.place)?.as_ref()?;
            Some((draft.vector.as_deref()?, codes))
        });
        for (vector, code) in coded.take(gate::WINDOW) {
            vectors.extend_from_slice(vector);
            gate::push(&mut codes, &code.latents);
        }
        match self.core.sae_of(view)? {
            Some(sae) => self.gates.admit(view, &sae, &vectors, &codes),
            None => Ok(()),
        }
    }
}

/// Which item of a list an error is about, and the field of it: 3 and `vector` of
/// `documents[3].vector`.
pub(super) fn item_at_fault(error: &Error, list: &str) -> Option<(usize, String)> {
    let rest = error.field()?.strip_prefix(list)?.strip_prefix('[')?;
    let (at, field) = rest.split_once(']')?;
    Some((at.parse().ok()?, field.trim_start_matches('.').to_owned()))
}
