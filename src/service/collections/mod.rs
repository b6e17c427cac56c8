//! Creating, changing, describing and dropping collections; saved sets.

mod info;
mod manage;
mod plan;
mod saes;
mod transfer;

pub use info::{
    AttachedSae, CollectionInfo, Collections, CreateCollection, ReaderRequest, SetInfo,
};
pub use saes::AttachRequest;
pub use transfer::{ExportedRecords, RestoreRequest};
