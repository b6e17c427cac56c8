//! Documents made of real embeddings, any number of them, each by its number alone.

use std::collections::BTreeMap;
use std::ops::Range;

use latentdb_index::Value;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use rayon::prelude::*;

use crate::attribute;
use crate::corpus::Corpus;

/// Largest weight of the second abstract.
const SECOND: f32 = 0.7;
/// Norm of the noise.
const NOISE: f32 = 0.25;

pub struct Rows<'a> {
    corpus: &'a Corpus,
    pub count: usize,
    pub dimension: usize,
    /// A direction: where a document lies along it goes with what it is near to.
    along: Vec<f32>,
}

impl<'a> Rows<'a> {
    pub fn new(corpus: &'a Corpus, count: usize) -> Self {
        let (a, b) = (corpus.vector(17), corpus.vector(4321));
        Self {
            corpus,
            count,
            dimension: corpus.dimension,
            along: a.iter().zip(b).map(|(a, b)| a - b).collect(),
        }
    }

    /// The vectors of some rows, row-major, of unit norm.
    pub fn vectors(&self, rows: Range<usize>) -> Vec<f32> {
        rows.into_par_iter()
            .flat_map_iter(|row| self.vector(row as u64))
            .collect()
    }

    /// A vector as a query has it: of the same kind, and of no document.
    pub fn query(&self, at: usize) -> Vec<f32> {
        self.vector(u64::MAX - at as u64)
    }

    fn vector(&self, row: u64) -> Vec<f32> {
        let mut random = StdRng::seed_from_u64(row);
        let (first, second) = (self.pick(&mut random), self.pick(&mut random));
        let share = random.random_range(0.0..SECOND);
        let (first, second) = (self.corpus.vector(first), self.corpus.vector(second));
        let step = NOISE * (3.0 / self.dimension as f32).sqrt();
        let pairs = first.iter().zip(second);
        let mut vector: Vec<f32> = pairs
            .map(|(a, b)| a + share * b + random.random_range(-step..step))
            .collect();
        let norm = vector.iter().map(|value| value * value).sum::<f32>().sqrt();
        vector.iter_mut().for_each(|value| *value /= norm);
        vector
    }

    fn pick(&self, random: &mut StdRng) -> usize {
        random.random_range(0..self.corpus.rows())
    }

    /// Where a vector lies along the direction.
    pub fn along(&self, vector: &[f32]) -> f64 {
        let products = vector.iter().zip(&self.along);
        products.map(|(a, b)| f64::from(a * b)).sum()
    }

    /// `random` from 0 to 1, `along` a direction, the `category` of the first abstract, a `day` of two years.
    pub fn attributes(&self, row: usize, vector: &[f32]) -> BTreeMap<String, Value> {
        let mut random = StdRng::seed_from_u64(row as u64);
        let category = self.corpus.categories[self.pick(&mut random)].clone();
        let mut random = StdRng::seed_from_u64(row as u64 ^ 0xABCD);
        BTreeMap::from([
            attribute("random", Value::Float(random.random())),
            attribute("along", Value::Float(self.along(vector))),
            attribute("category", Value::String(category)),
            attribute("day", Value::Integer(random.random_range(0..730))),
        ])
    }
}
