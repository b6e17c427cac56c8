//! The wire types and services of LatentDB, generated from `latentdb/v1/*.proto`, where every
//! message is documented.

/// Package `latentdb.v1`.
pub mod v1 {
    #![allow(clippy::all, missing_docs, rustdoc::all)]
    tonic::include_proto!("latentdb.v1");
}

/// The encoded `FileDescriptorSet` of all services, for server reflection and the JSON mapping.
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));
