//! `latentdb collection`: collections and their saved sets.

use std::path::{Path, PathBuf};

use latentdb_proto::v1::{
    Analyzer, AttachSaeRequest, Collection, CreateCollectionRequest, DetachSaeRequest,
    DropAliasRequest, DropCollectionRequest, DropSetRequest, FitGate, GetCollectionRequest,
    ListCollectionsRequest, ListSetsRequest, OptimizeRequest, Reader, SaveSetRequest, SavedSet,
    SetAliasRequest,
};

use super::client::{Client, ClientArgs};
use super::encoder::EncoderArgs;
use super::flags::absolute;
use super::reading::ReaderArgs;
use super::{flags, output, progress, search, text};
use crate::reading::Precision;
use crate::report::Table;

/// The encoder of a collection that names neither vectors nor an SAE.
const DEFAULT_ENCODER: &str = "all-MiniLM-L6-v2";

/// What is done with collections.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    action: Action,
    #[command(flatten)]
    client: ClientArgs,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// Create a collection
    Create(Create),
    /// List all collections
    List,
    /// Show a collection's record and statistics
    Info {
        /// The collection
        name: String,
    },
    /// Drop a collection with its documents, saved sets and labels
    Drop {
        /// The collection
        name: String,
    },
    /// Make an alias stand for a collection, at once, whatever it stood for
    Alias {
        /// The alias
        alias: String,
        /// The collection, by its own name
        name: String,
    },
    /// Remove an alias; its collection stays
    Unalias {
        /// The alias
        alias: String,
    },
    /// Attach an SAE, in place of the default or under a name of its own: code what is stored, then
    /// switch
    Attach {
        /// The collection
        name: String,
        /// SAE: a folder of this machine, which is uploaded, or what the server knows it by: its hash, or its
        /// folder below serve --models
        #[arg(long, value_name = "DIR")]
        sae: PathBuf,
        /// Name by which NAME:SAE addresses it; an SAE of that name is replaced, the default one when
        /// left out
        #[arg(long = "as", value_name = "SAE")]
        called: Option<String>,
        #[command(flatten)]
        reads: ReadsArgs,
        /// What the reader's products are computed on, f32 or bf16; as in the SAE's training when
        /// left out
        #[arg(long, value_name = "HOW", value_parser = flags::precision, requires = "reader")]
        precision: Option<Precision>,
        #[command(flatten)]
        gate: GateArgs,
    },
    /// Detach an SAE that has a name, with its latents
    Detach {
        /// The collection
        name: String,
        /// The SAE's name
        sae: String,
    },
    /// Merge the segments into one and drop deleted documents
    Optimize {
        /// The collection
        name: String,
    },
    /// List saved sets
    Sets {
        /// The collection
        name: String,
    },
    /// Save a filter, or the documents it describes now, under a name
    SaveSet {
        /// The collection
        name: String,
        /// Name of the set
        set: String,
        /// What the set holds
        #[arg(long, value_name = "EXPR")]
        filter: String,
        /// Keep the documents of now, by id, instead of the filter
        #[arg(long)]
        frozen: bool,
    },
    /// Remove a saved set
    DropSet {
        /// The collection
        name: String,
        /// Name of the set
        set: String,
    },
}

/// What a collection is made with.
#[derive(Debug, clap::Args)]
struct Create {
    /// Name of the collection
    name: String,
    /// What makes vectors from text: all-MiniLM-L6-v2 (the default where neither --dim nor --sae
    /// is given), a folder, a hub id, or none
    #[arg(long, value_name = "MODEL")]
    encoder: Option<String>,
    /// Values of a vector, where the client brings vectors
    #[arg(long, value_name = "D", value_parser = flags::count::<u32>)]
    dim: Option<u32>,
    /// SAE: a folder of this machine, which is uploaded, or what the server knows it by: its hash, or its
    /// folder below serve --models
    #[arg(long, value_name = "DIR")]
    sae: Option<PathBuf>,
    #[command(flatten)]
    reads: ReadsArgs,
    /// Number of latents, where the client brings latents
    #[arg(long, value_name = "N", conflicts_with = "sae", value_parser = flags::count::<u32>)]
    n_latents: Option<u32>,
    #[command(flatten)]
    gate: GateArgs,
    /// What the products of the encoder and the reader are computed on: f32 (the default) or bf16,
    /// which is faster where the server's machine has AVX512_BF16
    #[arg(long, value_name = "HOW", value_parser = flags::precision)]
    precision: Option<Precision>,
    #[command(flatten)]
    settings: EncoderArgs,
    /// Search words by their stems in this language, as english
    #[arg(long, value_name = "LANGUAGE")]
    stemming: Option<String>,
    /// Leave this language's most frequent words out of text search
    #[arg(long, value_name = "LANGUAGE")]
    stop_words: Option<String>,
    /// Search café and cafe as one word
    #[arg(long)]
    fold_diacritics: bool,
}

/// The model whose token states an SAE reads, and what becomes of their codes.
#[derive(Clone, Debug, Default, clap::Args)]
struct ReadsArgs {
    #[command(flatten)]
    reader: ReaderArgs,
    /// How the codes of a text's tokens become one: max (the default), sum, mean, binary, count or
    /// count:THRESHOLD
    #[arg(long, value_name = "HOW", requires = "reader")]
    pooling: Option<String>,
    /// Store with each document the words on which its latents are strongest
    #[arg(long, requires = "reader")]
    positions: bool,
    /// What the vectors that you bring are, where they are states of a model that the SAE reads: the
    /// model and the hook, for example "gpt2 blocks.3.hook_resid_post"
    #[arg(long, value_name = "MODEL HOOK", conflicts_with = "reader")]
    states: Option<String>,
}

impl ReadsArgs {
    fn request(self) -> anyhow::Result<Option<Reader>> {
        self.reader.wire(self.pooling, self.positions)
    }
}

/// What is asked of the SAE's fit.
#[derive(Clone, Copy, Debug, Default, clap::Args)]
struct GateArgs {
    /// Refuse an SAE that leaves more than this share of the vectors' variance unexplained [default:
    /// its own FVU + .1, or 1.5 times its own; .6 where its training is not known]
    #[arg(long, value_name = "FVU")]
    fvu_limit: Option<f64>,
    /// Log a poor fit instead of refusing it
    #[arg(long)]
    fvu_warn: bool,
}

impl GateArgs {
    /// Nothing where no flag was given, so that the collection's setting stays.
    fn request(self) -> Option<FitGate> {
        (self.fvu_limit.is_some() || self.fvu_warn).then_some(FitGate {
            fvu_limit: self.fvu_limit.unwrap_or_default(),
            warn: self.fvu_warn,
        })
    }
}

pub(super) async fn run(args: Args) -> anyhow::Result<()> {
    let is_json = args.client.json;
    let client = args.client.connect().await?;
    match args.action {
        Action::Create(create) => {
            let sae = match &create.sae {
                Some(sae) => client.sae_name(sae).await?,
                None => String::new(),
            };
            let request = create_request(create, sae)?;
            let response = client.collections().create_collection(request).await?;
            emit(is_json, &response.into_inner())
        }
        Action::List => list(&client, is_json).await,
        Action::Info { name } => {
            let request = GetCollectionRequest { name };
            let response = client.collections().get_collection(request).await?;
            emit(is_json, &response.into_inner())
        }
        Action::Drop { name } => {
            let request = DropCollectionRequest { name: name.clone() };
            let dropped = client.collections().drop_collection(request).await?;
            output::respond(is_json, &dropped.into_inner(), || format!("dropped {name}"))
        }
        Action::Alias { alias, name } => {
            let request = SetAliasRequest {
                alias: alias.clone(),
                collection: name.clone(),
            };
            let set = client.collections().set_alias(request).await?.into_inner();
            output::respond(is_json, &set, || match set.previous.as_str() {
                "" => format!("{alias} stands for {name}"),
                previous => format!("{alias} stands for {name}, no longer for {previous}"),
            })
        }
        Action::Unalias { alias } => {
            let request = DropAliasRequest {
                alias: alias.clone(),
            };
            let dropped = client.collections().drop_alias(request).await?;
            let dropped = dropped.into_inner();
            output::respond(is_json, &dropped, || {
                format!("{alias} no longer stands for {}", dropped.collection)
            })
        }
        Action::Attach {
            name,
            sae,
            called,
            reads,
            precision,
            gate,
        } => {
            let request = AttachSaeRequest {
                collection: name,
                sae: client.sae_name(&sae).await?,
                gate: gate.request(),
                name: called.unwrap_or_default(),
                states: reads.states.clone().unwrap_or_default(),
                reader: reads.request()?,
                precision: precision_name(precision),
            };
            emit(is_json, &attach_as(&client, request).await?)
        }
        Action::Detach { name, sae } => {
            let request = DetachSaeRequest {
                collection: name,
                name: sae,
            };
            let bar = progress::follow("detaching the SAE", "documents");
            emit(is_json, &client.detach_sae(request, bar).await?)
        }
        Action::Optimize { name } => {
            let waiting = progress::spinner(format!("merging {name}"));
            let request = OptimizeRequest { collection: name };
            let response = client.admin().optimize(request).await?.into_inner();
            waiting.finish_and_clear();
            let page = || text::counted(response.segments.into(), "segment");
            output::respond(is_json, &response, page)
        }
        Action::Sets { name } => {
            let request = ListSetsRequest { collection: name };
            let response = client.collections().list_sets(request).await?.into_inner();
            output::respond(is_json, &response, || sets(&response.sets))
        }
        Action::SaveSet {
            name,
            set,
            filter,
            frozen,
        } => {
            let request = SaveSetRequest {
                collection: name,
                name: set,
                filter: Some(search::expression(filter)),
                frozen,
            };
            let set = client.collections().save_set(request).await?.into_inner();
            output::warn(&set.warnings);
            output::respond(is_json, &set, || {
                format!(
                    "{}: {}",
                    set.name,
                    text::counted(set.documents(), "document")
                )
            })
        }
        Action::DropSet { name, set } => {
            let request = DropSetRequest {
                collection: name,
                name: set.clone(),
            };
            let dropped = client.collections().drop_set(request).await?;
            output::respond(is_json, &dropped.into_inner(), || format!("dropped {set}"))
        }
    }
}

fn emit(is_json: bool, collection: &Collection) -> anyhow::Result<()> {
    output::respond(is_json, collection, || text::collection(collection))
}

/// The request; `sae` is what the server knows the SAE by.
fn create_request(create: Create, sae: String) -> anyhow::Result<CreateCollectionRequest> {
    let encoder = match create.encoder.as_deref() {
        Some("none") => String::new(),
        // The server may run in another folder.
        Some(model) if Path::new(model).is_dir() => absolute(Path::new(model))?,
        Some(model) => model.to_owned(),
        None if create.dim.is_none() && create.sae.is_none() => DEFAULT_ENCODER.to_owned(),
        None => String::new(),
    };
    Ok(CreateCollectionRequest {
        name: create.name,
        encoder,
        dimension: create.dim.unwrap_or_default(),
        sae,
        n_latents: create.n_latents.unwrap_or_default(),
        gate: create.gate.request(),
        states: create.reads.states.clone().unwrap_or_default(),
        reader: create.reads.request()?,
        precision: precision_name(create.precision),
        encoder_settings: create.settings.request(),
        analyzer: Some(Analyzer {
            stemming: create.stemming.unwrap_or_default(),
            stop_words: create.stop_words.unwrap_or_default(),
            fold_diacritics: create.fold_diacritics,
        }),
    })
}

/// A precision as requests name it; empty where none is asked for.
fn precision_name(precision: Option<Precision>) -> String {
    precision.map_or_else(String::new, |precision| precision.name().to_owned())
}

/// Attaches an SAE, with a bar.
pub(super) async fn attach(
    client: &Client,
    collection: &str,
    sae: &Path,
) -> anyhow::Result<Collection> {
    let request = AttachSaeRequest {
        collection: collection.to_owned(),
        sae: client.sae_name(sae).await?,
        ..AttachSaeRequest::default()
    };
    attach_as(client, request).await
}

async fn attach_as(client: &Client, request: AttachSaeRequest) -> anyhow::Result<Collection> {
    let progress = progress::follow("attaching the SAE", "documents");
    Ok(client.attach_sae(request, progress).await?)
}

/// The collection of this name, or nothing where there is none.
pub(super) async fn find(client: &Client, name: &str) -> anyhow::Result<Option<Collection>> {
    let request = GetCollectionRequest {
        name: name.to_owned(),
    };
    match client.collections().get_collection(request).await {
        Ok(collection) => Ok(Some(collection.into_inner())),
        Err(status) if status.code() == tonic::Code::NotFound => Ok(None),
        Err(status) => Err(status.into()),
    }
}

async fn list(client: &Client, is_json: bool) -> anyhow::Result<()> {
    let request = ListCollectionsRequest {};
    let response = client.collections().list_collections(request).await?;
    let response = response.into_inner();
    output::respond(is_json, &response, || {
        let encoder = |collection: &Collection| {
            let encoder = collection.encoder.as_ref();
            encoder.map_or("-".to_owned(), |encoder| encoder.model.clone())
        };
        Table::of(&response.collections)
            .text("name", |collection| collection.name.clone())
            .number("documents", |collection| {
                text::thousands(collection.documents)
            })
            .number("dimension", |collection| collection.dimension.to_string())
            .number("latents", |collection| {
                text::thousands(collection.n_latents.into())
            })
            .text("encoder", encoder)
            .number("disk", |collection| text::bytes(collection.disk_bytes))
            .text("damaged", |collection| collection.damage.clone())
            .build()
            .page(output::table_columns())
    })
}

fn sets(sets: &[SavedSet]) -> String {
    let kind = |set: &SavedSet| if set.frozen { "documents" } else { "filter" }.to_owned();
    let documents = |set: &SavedSet| {
        set.documents
            .map_or_else(|| set.error.clone(), text::thousands)
    };
    Table::of(sets)
        .text("name", |set| set.name.clone())
        .text("kind", kind)
        .number("documents", documents)
        .build()
        .page(output::table_columns())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(
        encoder: Option<&str>,
        dim: Option<u32>,
        sae: Option<&str>,
    ) -> CreateCollectionRequest {
        let create = Create {
            name: "c".to_owned(),
            encoder: encoder.map(str::to_owned),
            dim,
            sae: sae.map(PathBuf::from),
            n_latents: None,
            gate: GateArgs::default(),
            reads: ReadsArgs::default(),
            precision: None,
            settings: EncoderArgs::default(),
            stemming: None,
            stop_words: None,
            fold_diacritics: false,
        };
        create_request(create, sae.unwrap_or_default().to_owned()).unwrap()
    }

    #[test]
    fn texts_are_encoded_unless_vectors_are_announced() {
        assert_eq!(request(None, None, None).encoder, DEFAULT_ENCODER);
        assert_eq!(request(Some("none"), None, None).encoder, "");
        assert_eq!(request(Some("org/model"), None, None).encoder, "org/model");
        assert_eq!(request(None, Some(384), None).encoder, "");
        let with_sae = request(None, None, Some("some/sae"));
        assert_eq!((&*with_sae.encoder, &*with_sae.sae), ("", "some/sae"));
    }
}
