//! The `latents` segment component: which documents activate a latent, how strongly, and which
//! latents a document has.
//!
//! Two views of one sparse matrix are stored (FORMAT.md, "latents"):
//!
//! - **Posting lists**, latent to documents: a roaring bitmap for sets and exact counts, and
//!   blocks of 128 (delta-coded ids, f16 activations, block maximum) for scoring.
//! - **Forward rows**, document to latents: for explanations, facets, clustering and diffs.
//!
//! A builder collects rows and lays the file out, a reader opens it in place. Where a collection
//! has several SAEs, the file holds a matrix for each (`spaces`).

mod builder;
mod layout;
mod plugin;
mod reader;
mod spaces;
mod verify;

pub(crate) use layout::{BLOCK, EXTENSION};
pub(crate) use plugin::{LatentsPlugin, refuse_reordering};
pub(crate) use reader::{LatentsReader, PostingList, Row, Rows};
pub(crate) use spaces::open_spaces;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tantivy::directory::OwnedBytes;

    use super::builder::LatentsBuilder;
    use super::layout::HEADER_BYTES;
    use super::*;
    use crate::document::Activation;

    fn open(rows: &[Vec<Activation>]) -> LatentsReader {
        let mut builder = LatentsBuilder::default();
        for row in rows {
            builder.push(row.iter().copied());
        }
        let bytes = builder.finish().unwrap();
        LatentsReader::open(OwnedBytes::new(bytes)).unwrap()
    }

    fn rows_strategy() -> impl Strategy<Value = Vec<Vec<Activation>>> {
        prop::collection::vec(
            prop::collection::btree_map(0_u32..12, 0.01_f32..9.0, 0..6),
            0..600,
        )
        .prop_map(|rows| {
            rows.into_iter()
                .map(|row| {
                    row.into_iter()
                        .map(|(latent, activation)| Activation {
                            latent,
                            activation: half::f16::from_f32(activation).to_f32(),
                        })
                        .collect()
                })
                .collect()
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]
        #[test]
        fn both_views_give_back_the_matrix(rows in rows_strategy()) {
            let reader = open(&rows);
            prop_assert_eq!(reader.n_docs() as usize, rows.len());
            for (doc, row) in rows.iter().enumerate() {
                let stored: Vec<_> = reader.row(doc as u32).iter().collect();
                prop_assert_eq!(&stored, row);
            }
            for latent in 0..13 {
                let expected: Vec<(u32, f32)> = rows
                    .iter()
                    .enumerate()
                    .flat_map(|(doc, row)| {
                        row.iter()
                            .filter(move |entry| entry.latent == latent)
                            .map(move |entry| (doc as u32, entry.activation))
                    })
                    .collect();
                let Some(list) = reader.list(latent) else {
                    prop_assert!(expected.is_empty());
                    continue;
                };
                prop_assert_eq!(list.len(), expected.len());
                let mut found = Vec::new();
                list.for_each(|docs, activations| {
                    found.extend(docs.iter().copied().zip(activations.iter().copied()));
                });
                prop_assert_eq!(&found, &expected);
                prop_assert_eq!(
                    list.set().unwrap().iter().collect::<Vec<_>>(),
                    expected.iter().map(|entry| entry.0).collect::<Vec<_>>()
                );
                for (index, block) in list.blocks().enumerate() {
                    let start = index * BLOCK;
                    let inside = expected[start..start + block.len]
                        .iter()
                        .map(|entry| entry.1)
                        .fold(0.0, f32::max);
                    prop_assert_eq!(block.maximum, inside);
                    prop_assert_eq!(block.last_doc, expected[start + block.len - 1].0);
                }
            }
        }
    }

    #[test]
    fn a_damaged_header_is_an_error() {
        let mut builder = LatentsBuilder::default();
        builder.push(
            [Activation {
                latent: 3,
                activation: 1.0,
            }]
            .into_iter(),
        );
        let bytes = builder.finish().unwrap();
        for at in 0..HEADER_BYTES {
            let mut damaged = bytes.clone();
            damaged[at] ^= 0x40;
            assert!(
                LatentsReader::open(OwnedBytes::new(damaged)).is_err(),
                "byte {at}"
            );
        }
        assert!(LatentsReader::open(OwnedBytes::new(bytes[..40].to_vec())).is_err());
    }

    #[test]
    fn activations_that_round_to_zero_are_not_active() {
        let reader = open(&[vec![
            Activation {
                latent: 0,
                activation: 1e-9,
            },
            Activation {
                latent: 1,
                activation: 0.5,
            },
        ]]);
        assert!(reader.list(0).is_none());
        assert_eq!(reader.row(0).iter().count(), 1);
    }
}
