//! Which latents an analysis looks at.

use std::sync::Arc;

/// Latents that an analysis tests or chooses from; the default has all of them.
///
/// ```
/// use latentdb_index::analysis::Among;
///
/// let some = Among::marked(vec![true, false, true]);
/// assert!(some.has(2) && !some.has(1) && !some.has(9));
/// assert!(Among::default().has(9));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Among(Option<Arc<[bool]>>);

impl Among {
    /// Those latents whose place in the list is marked.
    pub fn marked(marks: Vec<bool>) -> Self {
        Self(Some(marks.into()))
    }

    /// Whether it has all latents, whatever their number.
    pub fn is_all(&self) -> bool {
        self.0.is_none()
    }

    /// Whether a latent is one of them.
    pub fn has(&self, latent: u32) -> bool {
        match &self.0 {
            None => true,
            Some(marks) => marks.get(latent as usize).copied().unwrap_or(false),
        }
    }
}
