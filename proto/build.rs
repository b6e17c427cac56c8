//! Compiles `latentdb/v1/*.proto` with protox, so that no protoc needs to be installed.

use std::path::PathBuf;
use std::{env, fs};

use prost::Message;

const FILES: &[&str] = &[
    "latentdb/v1/types.proto",
    "latentdb/v1/collection.proto",
    "latentdb/v1/document.proto",
    "latentdb/v1/facet.proto",
    "latentdb/v1/search.proto",
    "latentdb/v1/latent.proto",
    "latentdb/v1/model.proto",
    "latentdb/v1/admin.proto",
    "latentdb/v1/snapshot.proto",
    "latentdb/v1/diff.proto",
    "latentdb/v1/map.proto",
    "latentdb/v1/matching.proto",
    "latentdb/v1/correlate.proto",
    "latentdb/v1/explain.proto",
    "latentdb/v1/hypotheses.proto",
    "latentdb/v1/trends.proto",
    "latentdb/v1/quality.proto",
    "latentdb/v1/cluster.proto",
    "latentdb/v1/analysis.proto",
];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo:rerun-if-changed=latentdb");
    let descriptors = protox::compile(FILES, ["."])?;
    let out = PathBuf::from(env::var("OUT_DIR")?);
    fs::write(out.join("descriptors.bin"), descriptors.encode_to_vec())?;
    let mut config = tonic_prost_build::Config::new();
    // A message finds its descriptor by its name.
    config.enable_type_names();
    tonic_prost_build::configure().compile_fds_with_config(descriptors, config)?;
    Ok(())
}
