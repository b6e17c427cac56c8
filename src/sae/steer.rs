//! Moving a vector along the latents of an SAE (O'Neill et al. 2024, section on steering).
//!
//! Three methods. **Add** moves along unit decoder directions: `x' = x + Σ α_i d_i`. **Clamp**
//! changes the code and keeps what the SAE does not explain: `x' = decode(z') + (x - decode(z))`.
//! **Consistent clamp** continues from there, because the encoder does not invert the decoder: it
//! lowers `‖encode(x') - z'‖²` by gradient steps.

use crate::error::{Error, Result};
use crate::vectors::{cosine, norm, normalise};

use super::codes::Codes;
use super::kernel;
use super::model::Sae;
use super::normalisation::Normalisation;

/// One change to make.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Edit {
    /// Move along the unit decoder direction of a latent.
    Add {
        /// The latent.
        latent: u32,
        /// How far; O'Neill et al. use 0.1 to 10 up and -5 to 0 down.
        strength: f32,
    },
    /// Multiply a latent's activation.
    Scale {
        /// The latent.
        latent: u32,
        /// The factor, not negative.
        factor: f32,
    },
    /// Give a latent an activation.
    Set {
        /// The latent.
        latent: u32,
        /// The activation, not negative.
        activation: f32,
    },
    /// Turn a latent off.
    Zero {
        /// The latent.
        latent: u32,
    },
}

impl Edit {
    /// The latent that is changed.
    pub fn latent(&self) -> u32 {
        match self {
            Self::Add { latent, .. }
            | Self::Scale { latent, .. }
            | Self::Set { latent, .. }
            | Self::Zero { latent } => *latent,
        }
    }
}

/// A steered vector and what became of it.
#[derive(Clone, Debug)]
pub struct Steered {
    /// The vector, `[d_in]`; with norm 1 if the input had norm 1.
    pub vector: Vec<f32>,
    /// Cosine of the input and the result.
    pub cosine: f64,
    /// Norm of what the SAE does not explain of the input, `‖x - decode(encode(x))‖`; clamping
    /// keeps it.
    pub residual_norm: f64,
    /// The code of the input: one row.
    pub before: Codes,
    /// The code of the result, encoded again: one row.
    pub after: Codes,
    /// `‖encode(x') - z'‖²` before and after the gradient steps, where there were some.
    pub inconsistency: Option<(f64, f64)>,
}

/// Steers `vector`, `[d_in]`, by `edits` in order.
///
/// Additions move the vector; the other edits change its code, in the units of the code. Clamped
/// latents are applied first, additions on top. `consistent` asks for that many gradient steps
/// (about 10) that make the code of the result agree with the edited one; without a clamping edit
/// there is nothing to agree with and it changes nothing.
///
/// # Errors
/// `InvalidArgument` naming the edit, and those of [`Sae::encode`].
pub fn steer(
    sae: &Sae,
    vector: &[f32],
    edits: &[Edit],
    consistent: Option<usize>,
) -> Result<Steered> {
    let d = sae.d_in();
    if vector.len() != d {
        return Err(Error::invalid(
            "vector",
            format!("has {} values; this SAE takes {d}", vector.len()),
        ));
    }
    check_edits(sae, edits)?;
    let before = encode_one(sae, vector)?;
    let (explained, _) = sae.reconstruct(vector, 1)?;
    let residual: Vec<f32> = vector.iter().zip(&explained).map(|(x, e)| x - e).collect();
    let mut steered = vector.to_vec();
    let mut inconsistency = None;
    if edits.iter().any(|e| !matches!(e, Edit::Add { .. })) {
        let target = clamp(&before, edits);
        steered = clamped(sae, vector, &target, &residual)?;
        if let Some(steps) = consistent {
            inconsistency = Some(agree(sae, &mut steered, &target, steps)?);
        }
    }
    for edit in edits {
        if let Edit::Add { latent, strength } = *edit {
            kernel::add_scaled(&mut steered, strength, &sae.direction(latent)?);
        }
    }
    if (norm(vector) - 1.0).abs() < 1e-3 {
        normalise(&mut steered);
    }
    Ok(Steered {
        cosine: cosine(vector, &steered),
        residual_norm: norm(&residual),
        after: encode_one(sae, &steered)?,
        before,
        inconsistency,
        vector: steered,
    })
}

fn check_edits(sae: &Sae, edits: &[Edit]) -> Result<()> {
    for (index, edit) in edits.iter().enumerate() {
        let field = |name: &str| format!("edits[{index}].{name}");
        if edit.latent() as usize >= sae.n_latents() {
            return Err(sae
                .no_such_latent(edit.latent())
                .within(&format!("edits[{index}]")));
        }
        match *edit {
            Edit::Add { strength, .. } if !strength.is_finite() => {
                return Err(Error::invalid(
                    field("strength"),
                    format!("is {strength}; must be finite"),
                ));
            }
            Edit::Scale { factor: value, .. }
            | Edit::Set {
                activation: value, ..
            } if !(value >= 0.0 && value.is_finite()) => {
                let name = if matches!(edit, Edit::Scale { .. }) {
                    "factor"
                } else {
                    "activation"
                };
                return Err(Error::invalid(
                    field(name),
                    format!("is {value}; must be finite and not negative"),
                ));
            }
            _ => {}
        }
    }
    Ok(())
}

fn encode_one(sae: &Sae, vector: &[f32]) -> Result<Codes> {
    let mut codes = Codes::new();
    sae.encode(vector, &mut codes)?;
    Ok(codes)
}

/// The edited code `z'`.
fn clamp(before: &Codes, edits: &[Edit]) -> Codes {
    let (latents, activations) = before.row(0);
    let mut code: std::collections::BTreeMap<u32, f32> = latents
        .iter()
        .copied()
        .zip(activations.iter().copied())
        .collect();
    for edit in edits {
        match *edit {
            Edit::Add { .. } => {}
            Edit::Scale { latent, factor } => {
                if let Some(activation) = code.get_mut(&latent) {
                    *activation *= factor;
                }
            }
            Edit::Set { latent, activation } => {
                code.insert(latent, activation);
            }
            Edit::Zero { latent } => {
                code.remove(&latent);
            }
        }
    }
    let mut codes = Codes::new();
    codes.push_row(code.into_iter().filter(|(_, activation)| *activation > 0.0));
    codes
}

/// `decode(z') + (x - decode(z))`, the decoder's output in the space of `vector`.
fn clamped(sae: &Sae, vector: &[f32], target: &Codes, residual: &[f32]) -> Result<Vec<f32>> {
    let mut decoded = sae.decode(target)?;
    let mut unused = vec![0.0; vector.len()];
    let back = sae.normalise(vector, &mut unused);
    for (value, rest) in decoded.iter_mut().zip(residual) {
        *value = *value * back.scale + back.shift + rest;
    }
    Ok(decoded)
}

/// Lowers `‖encode(x') - z'‖²` over `x'` by up to `steps` gradient steps; returns its value
/// before and after.
fn agree(sae: &Sae, vector: &mut Vec<f32>, target: &Codes, steps: usize) -> Result<(f64, f64)> {
    if sae.normalisation() != Normalisation::None {
        return Err(Error::invalid(
            "consistent",
            "is available for SAEs without input normalisation only",
        ));
    }
    let mut errors = disagreement(sae, vector, target)?;
    let first = squares(&errors);
    let mut best = first;
    let mut length = 1.0f32;
    for _ in 0..steps {
        if best == 0.0 {
            break;
        }
        let gradient = gradient(sae, &errors)?;
        // Exact for the present set of latents; shortened when that set changes for the worse.
        let step = line_minimum(sae, &errors, &gradient)? * length;
        let mut moved = vector.clone();
        kernel::add_scaled(&mut moved, -step, &gradient);
        let moved_errors = disagreement(sae, &moved, target)?;
        let value = squares(&moved_errors);
        if value < best {
            (best, errors, *vector) = (value, moved_errors, moved);
            length = (length * 1.5).min(1.0);
        } else {
            length *= 0.5;
        }
    }
    Ok((first, best))
}

/// `encode(x) - z'` where it is not zero.
fn disagreement(sae: &Sae, vector: &[f32], target: &Codes) -> Result<Vec<(u32, f32)>> {
    let codes = encode_one(sae, vector)?;
    let mut errors: std::collections::BTreeMap<u32, f32> = std::collections::BTreeMap::new();
    let (latents, activations) = codes.row(0);
    for (latent, activation) in latents.iter().zip(activations) {
        *errors.entry(*latent).or_default() += activation;
    }
    let (latents, activations) = target.row(0);
    for (latent, activation) in latents.iter().zip(activations) {
        *errors.entry(*latent).or_default() -= activation;
    }
    errors.retain(|_, error| *error != 0.0);
    Ok(errors.into_iter().collect())
}

fn squares(errors: &[(u32, f32)]) -> f64 {
    errors.iter().map(|(_, e)| f64::from(*e).powi(2)).sum()
}

/// Half the gradient: `Σ e_i W_enc[:, i]`. A wanted latent that is off has a zero derivative; it is
/// treated as if it were on, which draws the vector towards it.
fn gradient(sae: &Sae, errors: &[(u32, f32)]) -> Result<Vec<f32>> {
    let mut gradient = vec![0.0; sae.d_in()];
    for (latent, error) in errors {
        kernel::add_scaled(&mut gradient, *error, sae.encoder_row(*latent)?);
    }
    Ok(gradient)
}

/// The step along `-gradient` that minimises the squared errors if the codes were linear.
fn line_minimum(sae: &Sae, errors: &[(u32, f32)], gradient: &[f32]) -> Result<f32> {
    let (mut along, mut curvature) = (0.0f64, 0.0f64);
    for (latent, error) in errors {
        let slope = f64::from(kernel::inner(sae.encoder_row(*latent)?, gradient));
        along += f64::from(*error) * slope;
        curvature += slope * slope;
    }
    Ok(if curvature > 0.0 {
        (along / curvature) as f32
    } else {
        0.0
    })
}

#[cfg(test)]
mod tests;
