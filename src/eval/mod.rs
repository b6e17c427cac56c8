//! Measuring rankings: measures, and the files that judgements and rankings travel in.
//!
//! | question | file |
//! |---|---|
//! | How good is a ranking, how much do two agree? | `metrics.rs` |
//! | How are TREC's judgements and runs read and written? | `trec.rs` |
//! | What does a BEIR folder hold? | `beir.rs` |

pub mod beir;
pub mod metrics;
pub mod trec;
