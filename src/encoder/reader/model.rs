//! The network of a reader, of either family.

use super::decoder::{self, Decoder};
use crate::encoder::bert::{self, Bert};
use crate::error::Result;

/// A model that runs up to the layer read.
pub(super) enum Model {
    Bert(Bert),
    Decoder(Decoder),
}

/// Buffers of one worker.
#[derive(Default)]
pub(super) struct Scratch {
    bert: bert::Scratch,
    decoder: decoder::Scratch,
}

impl Model {
    pub fn width(&self) -> usize {
        match self {
            Self::Bert(bert) => bert.width(),
            Self::Decoder(decoder) => decoder.width(),
        }
    }

    pub fn forward<'s>(&self, ids: &[&[u32]], scratch: &'s mut Scratch) -> Result<&'s [f32]> {
        match self {
            Self::Bert(bert) => bert.forward(ids, &mut scratch.bert),
            Self::Decoder(decoder) => decoder.forward(ids, &mut scratch.decoder),
        }
    }
}
