//! How the files of a data directory reach the disk, and how what is read from it is checked.
//!
//! tantivy's directory and redb's file are wrapped here, so that one place checks a segment's files
//! before they are merged, puts a checksum behind the files that have none, knows when a disk is
//! full, and lets a test fail any step ([`Faults`]).

mod catalog_file;
mod checksum;
mod damage;
mod index_directory;
mod steps;

pub(crate) use catalog_file::{CatalogFile, copy_in_memory};
pub(crate) use checksum::{check_file, seal, unseal};
pub(crate) use damage::Damage;
pub(crate) use index_directory::IndexDirectory;
pub(crate) use steps::Storage;
pub use steps::{Faults, Step};
