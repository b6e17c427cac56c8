//! Holds the two views of a matrix against one another.

use super::layout::BLOCK;
use super::reader::{LatentsReader, PostingList};
use crate::error::{Error, Result};

impl LatentsReader {
    /// Checks that rows and postings hold the same entries, in order and in range.
    ///
    /// # Errors
    /// `Corrupted` saying what is not so.
    pub fn verify(&self, n_latents: usize) -> Result<()> {
        for doc in 0..self.n_docs() {
            let row = self.row(doc);
            let ascends = row.latents.is_sorted_by(|a, b| a < b);
            let fits = (row.latents.last()).is_none_or(|&last| (last as usize) < n_latents);
            let positive = |value: &half::f16| value.is_finite() && value.to_f32() > 0.0;
            if !ascends || !fits || !row.activations.iter().all(positive) {
                return Err(Error::corrupted(format!(
                    "the row of document {doc} is out of order or out of range"
                )));
            }
        }
        let mut entries = 0;
        let mut before = None;
        for (latent, list) in self.lists() {
            if before.is_some_and(|before| before >= latent) {
                return Err(Error::corrupted("posting lists are out of order"));
            }
            before = Some(latent);
            self.verify_list(latent, list)?;
            entries += list.len();
        }
        if entries != self.n_entries() {
            return Err(Error::corrupted(format!(
                "the rows have {} entries, the postings {entries}",
                self.n_entries()
            )));
        }
        Ok(())
    }

    fn verify_list(&self, latent: u32, list: PostingList<'_>) -> Result<()> {
        let differs =
            |what: &str| Error::corrupted(format!("the postings of latent {latent}: {what}"));
        let mut set = list.set()?.into_iter();
        let mut docs = [0; BLOCK];
        let mut activations = [0.0; BLOCK];
        for index in 0..list.n_blocks() {
            let block = list.block(index);
            let len = list.decode(index, &mut docs, &mut activations);
            for (&doc, &activation) in docs[..len].iter().zip(&activations) {
                if set.next() != Some(doc) {
                    return Err(differs("the set has other documents than the blocks"));
                }
                if doc >= self.n_docs() {
                    return Err(differs("a document is out of range"));
                }
                let row = self.row(doc);
                let stored = row.latents.binary_search(&latent);
                if stored.map(|at| row.activations[at].to_f32()) != Ok(activation) {
                    return Err(differs("an entry differs from its row"));
                }
            }
            let maximum = activations[..len].iter().copied().fold(0.0, f32::max);
            if block.last_doc != docs[len - 1] || block.maximum != maximum {
                return Err(differs("the block table differs from its block"));
            }
        }
        if set.next().is_some() {
            return Err(differs("the set has more documents than the blocks"));
        }
        Ok(())
    }
}
