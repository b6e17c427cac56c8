//! Results of analyses as tables, figures and reports: here the wire's rows become those of
//! [`crate::report`].

pub mod cluster;
pub mod correlate;
pub mod diff;
pub mod explain;
pub mod facet;
pub mod hypotheses;
pub mod matching;
mod names;
pub mod quality;
pub mod trends;

pub use names::{attributes, label, labelled, latent, plain, value};
