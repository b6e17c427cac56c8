//! Measuring rankings and steering: measures, evaluations over a collection that the caller
//! implements, and the files that judgements and rankings travel in.
//!
//! | question | file |
//! |---|---|
//! | How good is a ranking, how much do two agree? | `metrics.rs` |
//! | How well are documents with a property found? | `property.rs` |
//! | What does steering keep and what does it bring? | `steering/` |
//! | How good are searches for judged queries, and run files? | `queries.rs` |
//! | How are TREC's judgements and runs read and written? | `trec.rs` |
//! | What does a BEIR folder hold? | `beir.rs` |

pub mod beir;
pub mod metrics;
pub mod property;
pub mod queries;
pub mod steering;
pub mod trec;
