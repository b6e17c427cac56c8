//! `latentdb snapshot`: copies of collections in the store of the server.

use clap::Subcommand;
use latentdb_proto::v1::{
    CreateSnapshotRequest, DeleteSnapshotRequest, ListSnapshotsRequest, RestoreSnapshotRequest,
    Snapshot,
};

use super::client::ClientArgs;
use super::failure::Usage;
use super::interrupt::Interrupt;
use super::{output, progress, text};

/// What is done to snapshots.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    action: Action,
    #[command(flatten)]
    client: ClientArgs,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Make a snapshot, while the server goes on
    Create {
        /// Its name; one of the time when left out
        name: Option<String>,
        /// Only this collection; repeat for more
        #[arg(long = "collection", value_name = "NAME")]
        collections: Vec<String>,
        /// Keep so many snapshots, this one included, and remove earlier ones
        #[arg(long, value_name = "N", value_parser = super::flags::count::<u32>)]
        keep: Option<u32>,
    },
    /// List the snapshots, the latest first
    List,
    /// Bring collections back, all or none
    Restore {
        /// Name of the snapshot
        name: String,
        /// Only this collection; repeat for more
        #[arg(long = "collection", value_name = "NAME")]
        collections: Vec<String>,
        /// The name that the one collection gets
        #[arg(long = "as", value_name = "NAME")]
        called: Option<String>,
    },
    /// Remove a snapshot
    Delete {
        /// Name of the snapshot
        name: String,
    },
}

pub(super) async fn run(args: Args, interrupt: Interrupt) -> anyhow::Result<()> {
    let is_json = args.client.json;
    let client = args.client.connect().await?;
    interrupt
        .stops(async {
            match args.action {
                Action::Create {
                    name,
                    collections,
                    keep,
                } => {
                    let request = CreateSnapshotRequest {
                        name: name.unwrap_or_default(),
                        collections,
                        keep: keep.unwrap_or_default(),
                    };
                    let watch = progress::follow("copying", "bytes");
                    let made = client.create_snapshot(request, watch).await?;
                    output::respond(is_json, &made, || {
                        let mut page = made.snapshot.as_ref().map(line).unwrap_or_default();
                        for removed in &made.removed {
                            page += &format!("\nremoved {removed}");
                        }
                        page
                    })
                }
                Action::List => {
                    let mut snapshots = client.snapshots();
                    let found = snapshots.list_snapshots(ListSnapshotsRequest {}).await?;
                    let found = found.into_inner();
                    output::respond(is_json, &found, || {
                        let lines: Vec<String> = found.snapshots.iter().map(line).collect();
                        match lines.is_empty() {
                            true => "no snapshots".to_owned(),
                            false => lines.join("\n"),
                        }
                    })
                }
                Action::Restore {
                    name,
                    collections,
                    called,
                } => {
                    if called.is_some() && collections.len() != 1 {
                        let message = "--as names the one collection that --collection says";
                        return Err(Usage(message.to_owned()).into());
                    }
                    let called = called.unwrap_or_default();
                    let request = RestoreSnapshotRequest {
                        name,
                        collections: collections
                            .into_iter()
                            .map(|own| (own, called.clone()))
                            .collect(),
                    };
                    let watch = progress::follow("restoring", "bytes");
                    let restored = client.restore_snapshot(request, watch).await?;
                    output::respond(is_json, &restored, || {
                        format!("restored {}", restored.collections.join(", "))
                    })
                }
                Action::Delete { name } => {
                    let request = DeleteSnapshotRequest { name: name.clone() };
                    let deleted = client.snapshots().delete_snapshot(request).await?;
                    output::respond(is_json, &deleted.into_inner(), || format!("deleted {name}"))
                }
            }
        })
        .await
}

fn line(snapshot: &Snapshot) -> String {
    let collections: Vec<String> = snapshot
        .collections
        .iter()
        .map(|own| {
            format!(
                "{} ({})",
                own.name,
                text::counted(own.documents, "document")
            )
        })
        .collect();
    format!(
        "{}  {}  {}",
        snapshot.name,
        text::bytes(snapshot.bytes),
        collections.join(", ")
    )
}
