//! How often latents come back when an SAE is trained again from another seed.

use serde::{Deserialize, Serialize, Serializer};

use crate::error::{Error, Result};

/// Latents of a lower recurrence are marked where they are shown.
pub const RECURRING: f32 = 0.5;

/// How often each latent of an SAE comes back in SAEs of other seeds.
///
/// The recurrence of a latent is the mean over the others of the cosine of its decoder direction and the nearest
/// of theirs where each is the other's nearest, else 0 (the methods guide, Stability).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Recurrence {
    /// The seeds of the others.
    pub seeds: Vec<u64>,
    /// By latent, 0 to 1, to three decimals.
    #[serde(serialize_with = "decimals")]
    pub of_latents: Vec<f32>,
}

impl Recurrence {
    /// `InvalidArgument` where it is not of so many latents, or a value is beyond 0 to 1.
    pub(in crate::sae) fn check(&self, n_latents: usize) -> Result<()> {
        let field = "recurrence.of_latents";
        if self.of_latents.len() != n_latents {
            let message = format!(
                "has {} values; the SAE has {n_latents} latents",
                self.of_latents.len()
            );
            return Err(Error::invalid(field, message));
        }
        match self
            .of_latents
            .iter()
            .find(|value| !(0.0..=1.0).contains(*value))
        {
            None => Ok(()),
            Some(value) => Err(Error::invalid(
                field,
                format!("has the value {value}; 0 to 1 is accepted"),
            )),
        }
    }

    /// Latents that come back at `least` or more.
    ///
    /// ```
    /// use latentdb::sae::Recurrence;
    ///
    /// let found = Recurrence { seeds: vec![1, 2], of_latents: vec![0.9, 0.0, 0.5] };
    /// assert_eq!(found.at_least(0.5), 2);
    /// ```
    pub fn at_least(&self, least: f32) -> usize {
        let recurring = self.of_latents.iter().filter(|value| **value >= least);
        recurring.count()
    }

    /// Its mean over latents.
    pub fn mean(&self) -> f32 {
        self.of_latents.iter().sum::<f32>() / self.of_latents.len().max(1) as f32
    }
}

/// Numbers of 32 bits as they were rounded: as wider ones they would have 17 digits.
fn decimals<S: Serializer>(values: &[f32], serializer: S) -> std::result::Result<S::Ok, S::Error> {
    serializer.collect_seq(
        values
            .iter()
            .map(|value| (f64::from(*value) * 1000.0).round() / 1000.0),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_of_other_latents_is_refused() {
        let mut record = Recurrence {
            seeds: vec![1],
            of_latents: vec![0.812],
        };
        record.check(1).unwrap();
        assert!(record.check(2).is_err());
        let json = serde_json::to_value(&record).unwrap().to_string();
        assert!(json.contains("[0.812]"), "{json}");
        record.of_latents[0] = f32::NAN;
        assert!(record.check(1).is_err());
    }
}
