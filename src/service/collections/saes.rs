//! The SAEs of a collection: attaching, replacing, detaching, and what each costs.
//!
//! A collection has a list of SAEs, each with a name and a level of its own; the first is the
//! default. Documents are written once, to the collection, and coded by all.

use std::collections::HashSet;
use std::sync::Arc;

use latentdb_index::{Codes, CollectionRecord, Document, Progress, validate_name};

use super::info::{AttachedSae, CollectionInfo, Collections, ReaderRequest, agree};
use super::plan::plan_tokens;
use crate::error::{Error, Result, Within as _};
use crate::sae::{Fit, Sae};
use crate::service::blocking;
use crate::service::coder::{Coder, Source};
use crate::service::core::{Address, View};
use crate::service::gate::{judge_attach, judge_token_attach};
use crate::service::models::beyond_storage;
use crate::service::readers::check_vectors;
use crate::service::spec::{Gate, SaeSpec, Spec};

/// An SAE to attach.
#[derive(Clone, Debug, Default)]
pub struct AttachRequest {
    /// The collection.
    pub collection: String,
    /// A folder with the SAE.
    pub sae: String,
    /// Its name, replacing the SAE of that name. `None`: the SAE without a name, which stands first
    /// and is the default.
    pub name: Option<String>,
    /// What is asked of its fit; absent, what was asked of the SAE it replaces.
    pub gate: Option<Gate>,
    /// What it reads, where it has a name and reads token states; absent, what the SAE it replaces
    /// reads, else the vectors.
    pub reader: Option<ReaderRequest>,
    /// The states of a model that the collection's vectors are, as `MODEL HOOK`.
    pub states: Option<String>,
}

/// Where an SAE comes to stand in a list.
#[derive(Clone, Copy)]
enum Place {
    Replace(usize),
    Insert(usize),
}

impl Place {
    /// The place of the SAE of a name: its own, else the end, and for the one without a name the
    /// beginning.
    fn of(spec: &Spec, name: &str) -> Self {
        match spec.saes.iter().position(|entry| entry.name == name) {
            Some(at) => Self::Replace(at),
            None if name.is_empty() => Self::Insert(0),
            None => Self::Insert(spec.saes.len()),
        }
    }

    fn put<T: Clone>(self, list: &mut Vec<T>, item: T, filler: T) {
        match self {
            Self::Replace(at) => {
                list.resize(list.len().max(at + 1), filler);
                list[at] = item;
            }
            Self::Insert(at) => {
                list.resize(list.len().max(at), filler);
                list.insert(at, item);
            }
        }
    }
}

/// What an attach puts in place.
struct Planned {
    entry: SaeSpec,
    /// Values of the collection's vectors, where the SAE reads them.
    dimension: Option<usize>,
    coder: Coder,
    /// How the SAE fits the tokens of stored texts, where it reads them.
    fit: Option<Fit>,
}

impl Collections {
    /// Attaches the SAE in a folder: codes the stored vectors, at level token the stored texts,
    /// while the old state serves, then switches. `progress` counts documents; stopping it changes
    /// nothing.
    ///
    /// # Errors
    /// `FailedPrecondition` when the SAE does not fit what the collection gives it, or is attached
    /// already under another name.
    pub async fn attach_sae(
        self: &Arc<Self>,
        request: AttachRequest,
        progress: Arc<Progress>,
    ) -> Result<CollectionInfo> {
        let service = self.clone();
        blocking(move || {
            service.core.check_room()?;
            let address = Address::from(request.collection.as_str());
            let name = request.name.as_deref().unwrap_or_default();
            let view = service.core.view(&address)?;
            let Planned {
                entry,
                dimension,
                coder,
                fit,
            } = service.plan_attach(&view, name, &request)?;
            let handle = view.handle.clone();
            drop(view);
            handle.attach(
                |record| {
                    let spec = Spec::parse(Arc::new(record.clone()))?;
                    refuse_twice(&spec, name, coder.sae())?;
                    let place = Place::of(&spec, name);
                    record.dimension = dimension.or(record.dimension);
                    let entry = entry.to_record()?;
                    place.put(&mut record.saes, entry.clone(), entry);
                    Ok(move |documents: &mut [Document], progress: &Progress| {
                        recode(&coder, place, documents, progress)
                    })
                },
                &progress,
            )?;
            let view = service.core.view(&address)?;
            let view = view.in_space(view.spec.record.place_of(name)?)?;
            let gates = service.documents.gates();
            match fit {
                Some(fit) => gates.keep_fit(&view, fit)?,
                None => gates.restart(&view),
            }
            drop(view);
            service.close_unused_saes()?;
            service.describe(&address, true)
        })
        .await
    }

    fn plan_attach(&self, view: &View, name: &str, request: &AttachRequest) -> Result<Planned> {
        if !name.is_empty() {
            validate_name(name)?;
        } else if request.reader.is_some() {
            return Err(Error::invalid(
                "reader",
                "is given without a name; the SAE without a name reads what the collection was \
                 created to give it, and one with a name (name) may read token states",
            ));
        }
        let replaced = view.spec.saes.iter().find(|entry| entry.name == name);
        let gate = request
            .gate
            .or(replaced.map(SaeSpec::gate))
            .unwrap_or_default();
        gate.check()?;
        let address = format!("{}:{name}", view.spec.record.name);
        let address = if name.is_empty() {
            view.name()
        } else {
            address
        };
        let (sae, reader) = match &request.reader {
            Some(asked) => {
                let planned = plan_tokens(&self.core, asked, Some(&request.sae), &address)?;
                (planned.sae, Some(planned.reader))
            }
            None => {
                let models = &self.core.models;
                let sae = models.named_sae(&request.sae).within("sae")?;
                let reader = replaced.and_then(|entry| entry.reader.as_ref());
                let given = match reader {
                    Some(reader) => crate::reading::Reading::Token(reader.reading.clone()),
                    None => view.spec.vectors(),
                };
                let states = request.states.as_deref();
                if states.is_some() && (reader.is_some() || view.encoder().is_some()) {
                    return Err(Error::invalid(
                        "states",
                        "says what the client's vectors are; the collection makes its own",
                    ));
                }
                check_vectors(&given, states, &sae, &view.spec.record.name)?;
                let reader = reader.map(|reader| reader.with_sae(&sae)).transpose()?;
                (sae, reader)
            }
        };
        refuse_twice(&view.spec, name, &sae)?;
        let entry = SaeSpec::of(name, &sae, gate, reader);
        if let Some(reader) = &entry.reader {
            let coder = self.core.readers.coder(sae, reader)?;
            let fit = judge_token_attach(&gate, &view.spec.record.name, &view.snapshot, &coder)?;
            return Ok(Planned {
                entry,
                dimension: None,
                coder: Coder::Tokens(coder),
                fit: Some(fit),
            });
        }
        let mut dimension = view.spec.record.dimension;
        if dimension.is_none() && !name.is_empty() {
            return Err(Error::precondition(format!(
                "collection {:?} holds no vectors, which this SAE reads",
                view.spec.record.name
            )));
        }
        agree(&mut dimension, sae.d_in(), "sae", "the SAE's inputs")?;
        judge_attach(&gate, &view.spec.record.name, &view.snapshot, &sae)?;
        Ok(Planned {
            entry,
            dimension,
            coder: Coder::Vectors(sae),
            fit: None,
        })
    }

    /// Closes the SAEs that no collection has.
    pub(super) fn close_unused_saes(&self) -> Result<()> {
        let mut used = HashSet::new();
        for handle in self.core.database.collections() {
            let spec = self.core.spec(&handle.record())?;
            let saes = spec.saes.iter().filter_map(|entry| entry.sae.as_ref());
            used.extend(saes.map(|sae| sae.sha256.clone()));
        }
        self.core.models.close_others(&used);
        Ok(())
    }

    /// Detaches an SAE with its latents. Its labels stay, for when it comes back.
    ///
    /// # Errors
    /// `NotFound` where no SAE has that name.
    pub async fn detach_sae(
        self: &Arc<Self>,
        collection: String,
        name: String,
        progress: Arc<Progress>,
    ) -> Result<CollectionInfo> {
        let service = self.clone();
        blocking(move || {
            let handle = service.core.database.collection(&collection)?;
            handle.attach(
                |record: &mut CollectionRecord| {
                    if name.is_empty() {
                        return Err(Error::not_found(
                            "the SAE without a name is replaced, not detached; name another",
                        ));
                    }
                    let place = record.place_of(&name)?;
                    record.saes.remove(place);
                    Ok(move |documents: &mut [Document], _: &Progress| {
                        for document in documents {
                            if document.codes.len() > place {
                                document.codes.remove(place);
                            }
                        }
                        Ok(())
                    })
                },
                &progress,
            )?;
            service.close_unused_saes()?;
            service.describe(&Address::from(collection.as_str()), true)
        })
        .await
    }

    /// The SAEs of a view's collection or, in the space of one by its name, that one. `measure`
    /// opens them to say how they fit.
    pub(super) fn attached_saes(
        &self,
        view: &View,
        address: &Address,
        measure: bool,
    ) -> Result<Vec<AttachedSae>> {
        let views = match &address.sae {
            Some(_) => vec![view.clone()],
            None => view.spaces()?,
        };
        let mut attached = Vec::new();
        for view in views {
            let (Some(entry), Some(sae)) = (view.list_entry(), view.sae()) else {
                continue;
            };
            let fit = if measure { self.fit_info(&view)? } else { None };
            attached.push(AttachedSae {
                name: entry.name.clone(),
                reader: entry.reader.clone(),
                fit,
                latents_bytes: view.snapshot.latents_bytes(),
                weights_bytes: self.core.models.sae_bytes(&sae.sha256),
                sae: sae.clone(),
            });
        }
        Ok(attached)
    }
}

/// Puts the codes of an SAE in their place in documents.
fn recode(
    coder: &Coder,
    place: Place,
    documents: &mut [Document],
    progress: &Progress,
) -> Result<()> {
    let sources: Vec<Source<'_>> = documents
        .iter()
        .map(|document| Source {
            text: document.text.as_deref(),
            vector: document.vector.as_deref(),
        })
        .collect();
    let made = coder.encode(&sources, 0, &mut Fit::default(), progress)?;
    for (document, codes) in documents.iter_mut().zip(made) {
        let codes = codes.unwrap_or_default();
        if let Some(what) = beyond_storage(&codes.latents) {
            return Err(Error::precondition(format!(
                "document {:?} {what}",
                document.id
            )));
        }
        place.put(&mut document.codes, codes, Codes::default());
    }
    Ok(())
}

/// Refuses an SAE that stands in the list under another name: labels and families are kept by its
/// hash.
fn refuse_twice(spec: &Spec, name: &str, sae: &Sae) -> Result<()> {
    let twin = spec.saes.iter().find(|entry| {
        let hash = entry.sae.as_ref().map(|sae| sae.sha256.as_str());
        entry.name != name && hash == Some(sae.hash())
    });
    match twin {
        None => Ok(()),
        Some(entry) if entry.name.is_empty() => Err(Error::precondition(
            "this SAE is the collection's default already",
        )),
        Some(entry) => Err(Error::precondition(format!(
            "this SAE is attached already, as {:?}",
            entry.name
        ))),
    }
}
