//! Documents of analyses: reports, tables and figures over rows of their own. No module here knows
//! the wire.
//!
//! `html` is the file, `table` describes columns once for every form, `format` says how numbers and
//! names read; the others are an analysis each: its figure and its part of a report.

pub mod clusters;
pub mod correlations;
pub mod differences;
pub mod format;
mod html;
pub mod sae;
pub mod steering;
mod table;
pub mod trends;

pub use html::{Block, Example, Report, Section};
pub use table::{Cell, Columns, Table, Values, aligned};
