//! `latentdb sae import`: an SAE of another program becomes one that is served.

use std::path::{Path, PathBuf};

use clap::builder::{PossibleValuesParser, TypedValueParser};

use super::page::{info_page, local};
use crate::cli::{output, progress};
use crate::encoder::HubPlace;
use crate::error::Error;
use crate::sae::format::{self, Format};

/// What is converted.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Args {
    /// A folder, a file, or a place on the hub: owner/name[/folder[/file]]
    source: String,
    /// Folder of the converted SAE, in SAELens layout; an existing one is replaced
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// What the source is; found out from its files when left out
    #[arg(long, value_name = "NAME", value_parser = format_name())]
    format: Option<Format>,
    /// Branch, tag or commit of the hub
    #[arg(long, value_name = "REVISION")]
    revision: Option<String>,
}

fn format_name() -> impl TypedValueParser<Value = Format> {
    PossibleValuesParser::new(Format::ALL.map(Format::name)).try_map(|name| name.parse())
}

pub(super) fn run(args: &Args, is_json: bool) -> anyhow::Result<()> {
    let waiting = progress::spinner("reading");
    let local_source = locate(args)?;
    let mut sae = format::import(&local_source, args.format)?;
    sae.set_about("source", &args.source);
    if let Some(revision) = &args.revision {
        sae.set_about("revision", revision);
    }
    format::save(&sae, &args.out)?;
    waiting.finish_and_clear();
    output::emit(is_json, &local(&sae), &info_page(&args.out, &sae))
}

/// What is on this machine comes first; then the hub.
fn locate(args: &Args) -> anyhow::Result<PathBuf> {
    let path = Path::new(&args.source);
    if path.exists() {
        return Ok(path.to_owned());
    }
    let Some(mut place) = HubPlace::parse(&args.source) else {
        return Err(Error::not_found(format!(
            "{} is neither a folder nor a file nor a place on the hub, owner/name[/folder[/file]]",
            args.source
        ))
        .into());
    };
    place.revision.clone_from(&args.revision);
    Ok(place.fetch(&format::is_relevant)?)
}
