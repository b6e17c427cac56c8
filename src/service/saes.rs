//! The SAEs of a collection: attaching, replacing, detaching, and what each costs.
//!
//! A collection has a first SAE and any number beside it, each with a name and a level of its own.
//! `NAME:SAE` addresses the collection through one of those: every latent of a request and of its
//! answer is that SAE's. Documents are written once, to the collection, and coded by all.

use std::collections::HashSet;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

use latentdb_index::{
    BesideSae, CollectionHandle, CollectionRecord, Document, NewCollection, SpaceCodes, Update,
    View, validate_name,
};

use super::collections::{CollectionInfo, agree};
use super::gate::{FitInfo, Gate, gate_of, judge_attach, judge_token_attach};
use super::models::{Level, SaeRecord, recode_vectors, sae_record, to_json};
use super::tokens::{
    ReaderRecord, ReaderRequest, TokenCoder, check_level, check_reads_vectors, reader_record,
};
use super::{Service, blocking};
use crate::error::{Error, Result, Within as _};
use crate::sae::{Fit, Sae};

/// An SAE to attach.
#[derive(Clone, Debug, Default)]
pub struct AttachRequest {
    /// The collection.
    pub collection: String,
    /// A folder with the SAE.
    pub sae: String,
    /// Its name beside the first, which replaces one of that name. `None`: it takes the place of
    /// the first.
    pub name: Option<String>,
    /// What is asked of its fit; absent, what was asked of the SAE it replaces.
    pub gate: Option<Gate>,
    /// What it reads, where it reads token states and stands beside the first.
    pub reader: Option<ReaderRequest>,
}

/// One SAE of a collection.
#[derive(Clone, Debug)]
pub struct AttachedSae {
    /// Its name; empty for the first.
    pub name: String,
    /// What is recorded of it.
    pub sae: SaeRecord,
    /// What it reads, at level token.
    pub reader: Option<ReaderRecord>,
    /// How it fits its first vectors, where it was asked for.
    pub fit: Option<FitInfo>,
    /// Bytes of its latents, on disk and mapped.
    pub latents_bytes: u64,
    /// Bytes of its weights in memory; 0 while it is not opened.
    pub weights_bytes: u64,
}

/// What makes the latents of documents for one SAE.
enum Coder {
    Vectors(Arc<Sae>),
    Tokens(TokenCoder),
}

impl Coder {
    fn sae(&self) -> &Sae {
        match self {
            Self::Vectors(sae) => sae,
            Self::Tokens(coder) => coder.sae(),
        }
    }

    fn recode(&self, documents: &mut [Document], go_on: &dyn Fn() -> bool) -> Result<()> {
        match self {
            Self::Vectors(sae) => recode_vectors(sae, documents),
            Self::Tokens(coder) => coder.recode(documents, go_on),
        }
    }
}

/// What an attach puts in place.
struct Planned {
    record: BesideSae,
    /// Values of the collection's vectors, where the SAE reads them.
    dimension: Option<usize>,
    coder: Coder,
    /// How the SAE fits the tokens of stored texts, where it reads them.
    fit: Option<Fit>,
}

/// Documents as the SAE of a space is to code them: their texts and vectors, which are lent.
pub(super) fn lend_documents(documents: &mut [Document]) -> Vec<Document> {
    let lent = documents.iter_mut().map(|document| Document {
        id: document.id.clone(),
        text: document.text.take(),
        vector: document.vector.take(),
        ..Document::default()
    });
    lent.collect()
}

/// Gives texts and vectors back, and the codes with them. `space` counts from 1.
pub(super) fn return_documents(documents: &mut [Document], lent: Vec<Document>, space: usize) {
    for (document, lent) in documents.iter_mut().zip(lent) {
        (document.text, document.vector) = (lent.text, lent.vector);
        if document.beside.len() < space {
            document.beside.resize_with(space, SpaceCodes::default);
        }
        document.beside[space - 1] = SpaceCodes {
            latents: lent.latents,
            positions: lent.positions,
        };
    }
}

/// [`lend_documents`] for updates.
pub(super) fn lend_updates(updates: &mut [Update]) -> Vec<Update> {
    let lent = updates.iter_mut().map(|update| Update {
        id: update.id.clone(),
        text: update.text.take(),
        vector: update.vector.take(),
        ..Update::default()
    });
    lent.collect()
}

/// [`return_documents`] for updates, whose spaces are returned in order.
pub(super) fn return_updates(updates: &mut [Update], lent: Vec<Update>) {
    for (update, lent) in updates.iter_mut().zip(lent) {
        (update.text, update.vector) = (lent.text, lent.vector);
        let positions = lent.positions;
        let codes = lent
            .latents
            .map(|latents| SpaceCodes { latents, positions });
        update.beside.push(codes);
    }
}

impl Service {
    /// Attaches the SAE in a folder, in place of the first or beside it: codes the stored vectors,
    /// at level token the stored texts, while the old state serves, then switches. `progress` is
    /// told documents done and in all; `Break` gives up and changes nothing.
    ///
    /// # Errors
    /// `FailedPrecondition` when the SAE does not fit what the collection gives it, or is attached
    /// already under another name.
    pub async fn attach_sae(
        self: &Arc<Self>,
        request: AttachRequest,
        mut progress: impl FnMut(u64, u64) -> ControlFlow<()> + Send + 'static,
    ) -> Result<CollectionInfo> {
        let service = self.clone();
        blocking(move || {
            let handle = service.database.collection(&request.collection)?;
            handle.check_writable()?;
            match &request.name {
                None => service.attach_first(&handle, &request, &mut progress)?,
                Some(name) => service.attach_beside(&handle, name, &request, &mut progress)?,
            }
            service.describe(&request.collection, true)
        })
        .await
    }

    fn attach_first(
        &self,
        handle: &CollectionHandle,
        request: &AttachRequest,
        progress: &mut dyn FnMut(u64, u64) -> ControlFlow<()>,
    ) -> Result<()> {
        if request.reader.is_some() {
            return Err(Error::invalid(
                "reader",
                "is given without a name; the first SAE reads what the collection was created to \
                 give it, and one beside it (name) may read token states",
            ));
        }
        let sae = self.imported(&request.sae)?;
        check_level(&handle.record(), &sae)?;
        let view = handle.view()?;
        refuse_twice(&view.record, None, &sae)?;
        let planned = match reader_record(&view.record)? {
            Some(reader) => self.plan_token_sae(&view, request.gate, &reader, sae)?,
            None => plan_vector_sae(&view, request.gate, sae)?,
        };
        drop(view);
        let Planned {
            record: new,
            dimension,
            coder,
            fit,
        } = planned;
        let record = handle.attach(
            |record| {
                refuse_twice(record, None, coder.sae())?;
                record.dimension = dimension.or(record.dimension);
                record.n_latents = Some(new.n_latents);
                record.sae = Some(new.sae);
                record.reader = new.reader;
                Ok(
                    move |documents: &mut [Document], go_on: &dyn Fn() -> bool| {
                        coder.recode(documents, go_on)
                    },
                )
            },
            progress,
        )?;
        self.attached(handle, &record, fit)
    }

    fn attach_beside(
        &self,
        handle: &CollectionHandle,
        name: &str,
        request: &AttachRequest,
        progress: &mut dyn FnMut(u64, u64) -> ControlFlow<()>,
    ) -> Result<()> {
        validate_name(name)?;
        let sae = self.imported(&request.sae)?;
        let view = handle.view()?;
        refuse_twice(&view.record, Some(name), &sae)?;
        let before = view.record.space_of(name);
        let before = before.map(|space| gate_of(&view.record.through(space)));
        let gate = request.gate.or(before.transpose()?).unwrap_or_default();
        let planned = match &request.reader {
            Some(reader) => self.plan_reader(&view, name, gate, reader, request)?,
            None => {
                check_reads_vectors(&view.record, &sae)?;
                if view.record.dimension.is_none() {
                    return Err(Error::precondition(format!(
                        "collection {:?} holds no vectors, which this SAE reads",
                        view.record.name
                    )));
                }
                plan_vector_sae(&view, Some(gate), sae)?
            }
        };
        drop(view);
        let Planned {
            record: mut new,
            coder,
            fit,
            ..
        } = planned;
        name.clone_into(&mut new.name);
        let record = handle.attach(
            |record| {
                refuse_twice(record, Some(name), coder.sae())?;
                let space = match record.space_of(&new.name) {
                    Some(space) => {
                        record.beside[space - 1] = new;
                        space
                    }
                    None => {
                        record.beside.push(new);
                        record.beside.len()
                    }
                };
                Ok(
                    move |documents: &mut [Document], go_on: &dyn Fn() -> bool| {
                        let mut lent = lend_documents(documents);
                        let coded = coder.recode(&mut lent, go_on);
                        return_documents(documents, lent, space);
                        coded
                    },
                )
            },
            progress,
        )?;
        let through = record.through(record.space(name)?);
        self.attached(handle, &through, fit)
    }

    /// Keeps how an SAE fits what it was judged on, and closes the one it may have replaced.
    fn attached(
        &self,
        handle: &CollectionHandle,
        record: &CollectionRecord,
        fit: Option<Fit>,
    ) -> Result<()> {
        if let Some(fit) = fit {
            self.gates.keep_fit(handle, record, fit)?;
        }
        self.close_unused_saes()
    }

    /// Closes the SAEs that no collection has.
    pub(super) fn close_unused_saes(&self) -> Result<()> {
        let mut used = HashSet::new();
        for handle in self.database.collections() {
            let record = handle.record();
            for space in 0..=record.beside.len() {
                used.extend(sae_record(&record.through(space))?.map(|sae| sae.sha256));
            }
        }
        self.models.close_others(&used);
        Ok(())
    }

    /// Detaches an SAE beside the first, with its latents. Its labels stay, for when it comes back.
    ///
    /// # Errors
    /// `NotFound` where there is none of that name.
    pub async fn detach_sae(
        self: &Arc<Self>,
        collection: String,
        name: String,
        mut progress: impl FnMut(u64, u64) -> ControlFlow<()> + Send + 'static,
    ) -> Result<CollectionInfo> {
        let service = self.clone();
        blocking(move || {
            let handle = service.database.collection(&collection)?;
            handle.check_writable()?;
            handle.attach(
                |record| {
                    let space = record.space(&name)?;
                    record.beside.remove(space - 1);
                    Ok(move |documents: &mut [Document], _: &dyn Fn() -> bool| {
                        for document in documents {
                            if document.beside.len() >= space {
                                document.beside.remove(space - 1);
                            }
                        }
                        Ok(())
                    })
                },
                &mut progress,
            )?;
            service.close_unused_saes()?;
            service.describe(&collection, true)
        })
        .await
    }

    fn imported(&self, folder: &str) -> Result<Arc<Sae>> {
        self.models.import_sae(Path::new(folder)).within("sae")
    }

    /// An SAE of the token states that a record's reader gives.
    fn plan_token_sae(
        &self,
        view: &View,
        gate: Option<Gate>,
        reader: &ReaderRecord,
        sae: Arc<Sae>,
    ) -> Result<Planned> {
        let gate = gate.map_or_else(|| gate_of(&view.record), Ok)?;
        gate.check()?;
        let reader = reader.with_sae(&sae)?;
        let record = beside(&sae, gate, Some(&reader))?;
        let coder = self.token_coder_with(&reader, sae)?;
        let fit = judge_token_attach(&gate, &view.record.name, &view.snapshot, &coder)?;
        Ok(Planned {
            record,
            dimension: None,
            coder: Coder::Tokens(coder),
            fit: Some(fit),
        })
    }

    /// An SAE of token states beside the first, with a reader of its own.
    fn plan_reader(
        &self,
        view: &View,
        name: &str,
        gate: Gate,
        asked: &ReaderRequest,
        request: &AttachRequest,
    ) -> Result<Planned> {
        let mut new = NewCollection {
            name: format!("{}:{name}", view.record.name),
            ..NewCollection::default()
        };
        self.plan_tokens(asked, Some(&request.sae), gate, &mut new)?;
        let through = CollectionRecord {
            sae: new.sae,
            reader: new.reader,
            ..view.record.clone()
        };
        let missing = || Error::internal("a planned reader has no record");
        let reader = reader_record(&through)?.ok_or_else(missing)?;
        let sae = sae_record(&through)?.ok_or_else(missing)?;
        let sae = self.models.sae(&sae.sha256)?;
        self.plan_token_sae(view, Some(gate), &reader, sae)
    }

    /// The SAEs of a collection, or the one it is looked at through. `measure` opens them to say how
    /// they fit.
    pub(super) fn attached_saes(
        &self,
        collection: &str,
        measure: bool,
    ) -> Result<Vec<AttachedSae>> {
        let view = self.database.collection(collection)?.view()?;
        let views = if collection.contains(':') {
            vec![view]
        } else {
            (0..=view.record.beside.len())
                .map(|space| {
                    Ok(View {
                        record: view.record.through(space),
                        snapshot: view.snapshot.in_space(space)?,
                    })
                })
                .collect::<Result<_>>()?
        };
        let mut attached = Vec::new();
        for View { record, snapshot } in views {
            let Some(sae) = sae_record(&record)? else {
                continue;
            };
            let reader = reader_record(&record)?;
            let fit = if measure {
                self.fit_info(&record, &snapshot)?
            } else {
                None
            };
            attached.push(AttachedSae {
                name: record
                    .name
                    .split_once(':')
                    .map_or_else(String::new, |(_, sae)| sae.to_owned()),
                reader,
                fit,
                latents_bytes: snapshot.latents_bytes(),
                weights_bytes: self.models.sae_bytes(&sae.sha256),
                sae,
            });
        }
        Ok(attached)
    }
}

/// An SAE of a collection's vectors, where it fits them.
fn plan_vector_sae(view: &View, gate: Option<Gate>, sae: Arc<Sae>) -> Result<Planned> {
    let mut dimension = view.record.dimension;
    agree(&mut dimension, sae.d_in(), "sae", "the SAE's inputs")?;
    let gate = gate.map_or_else(|| gate_of(&view.record), Ok)?;
    gate.check()?;
    judge_attach(&gate, &view.record.name, &view.snapshot, &sae)?;
    Ok(Planned {
        record: beside(&sae, gate, None)?,
        dimension,
        coder: Coder::Vectors(sae),
        fit: None,
    })
}

fn beside(sae: &Sae, gate: Gate, reader: Option<&ReaderRecord>) -> Result<BesideSae> {
    Ok(BesideSae {
        name: String::new(),
        n_latents: sae.n_latents(),
        sae: to_json(&SaeRecord {
            gate,
            level: match reader {
                Some(_) => Level::Token,
                None => Level::Pooled,
            },
            ..SaeRecord::of(sae)
        })?,
        reader: reader.map(to_json).transpose()?,
    })
}

/// Refuses an SAE that another place of the collection has: labels and families are kept by its
/// hash.
fn refuse_twice(record: &CollectionRecord, name: Option<&str>, sae: &Sae) -> Result<()> {
    for space in 0..=record.beside.len() {
        let at = space.checked_sub(1);
        let other = at.map(|at| record.beside[at].name.as_str());
        let held = sae_record(&record.through(space))?;
        if other != name && held.is_some_and(|held| held.sha256 == sae.hash()) {
            return Err(Error::precondition(match other {
                None => "this SAE is the collection's first already".to_owned(),
                Some(other) => format!("this SAE is attached already, as {other:?}"),
            }));
        }
    }
    Ok(())
}
