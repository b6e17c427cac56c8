//! Static vectors: `embedding.weight` as sentence-transformers saves a StaticEmbedding, `embeddings` as model2vec does,
//! where tokens may share rows (`mapping`) and have weights (`weights`).

use crate::encoder::network::Words;
use crate::encoder::weights::{SafetensorsFolder, Weights as _};
use crate::error::{Error, Result};

/// Loads the vector of every token.
pub(super) fn load(weights: &mut SafetensorsFolder) -> Result<Words> {
    let name = match weights.has("embedding.weight") {
        true => "embedding.weight",
        false => "embeddings",
    };
    let shape = weights.shape(name).unwrap_or_default();
    let &[rows, width] = &shape[..] else {
        return Err(Error::corrupted(format!(
            "static vectors lie in a matrix embedding.weight (sentence-transformers) or embeddings (model2vec); \
             {name} has the shape {shape:?}"
        )));
    };
    let mut table = weights.tensor(name, &shape)?;
    let mut optional = |name: &str| match weights.shape(name) {
        Some(shape) => weights.tensor(name, &shape).map(Some),
        None => Ok(None),
    };
    if let Some(mapping) = optional("mapping")? {
        let row = |at: &f32| {
            let at = *at as usize;
            let row = table.get(at * width..(at + 1) * width);
            row.ok_or_else(|| {
                Error::corrupted(format!("mapping names row {at} of {rows} static vectors"))
            })
        };
        let rows: Vec<&[f32]> = mapping.iter().map(row).collect::<Result<_>>()?;
        table = rows.concat();
    }
    if let Some(factors) = optional("weights")? {
        if factors.len() * width != table.len() {
            return Err(Error::corrupted(format!(
                "there are {} weights of {} tokens",
                factors.len(),
                table.len() / width.max(1)
            )));
        }
        for (row, factor) in table.chunks_exact_mut(width).zip(factors) {
            for value in row {
                *value *= factor;
            }
        }
    }
    Ok(Words { width, table })
}
