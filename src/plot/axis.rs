//! What an axis of a plot shows.

use super::scale::Scale;

/// What an axis shows.
///
/// ```
/// use latentdb::plot::Axis;
///
/// let axis = Axis::new("latents").logarithmic();
/// assert_eq!(axis.to_string(), "latents");
/// assert_eq!(Axis::new("time").unit("s").to_string(), "time (s)");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Axis {
    name: String,
    unit: Option<String>,
    pub(super) logarithmic: bool,
}

impl Axis {
    /// A linear axis with a name.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            unit: None,
            logarithmic: false,
        }
    }

    /// The same with a unit, written behind the name in brackets.
    #[must_use]
    pub fn unit(mut self, unit: impl Into<String>) -> Self {
        self.unit = Some(unit.into());
        self
    }

    /// The same with a logarithmic scale; values must be positive.
    #[must_use]
    pub fn logarithmic(mut self) -> Self {
        self.logarithmic = true;
        self
    }

    pub(super) fn scale(&self, values: impl Iterator<Item = f64>) -> Scale {
        Scale::around(values, self.logarithmic)
    }
}

impl std::fmt::Display for Axis {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.name)?;
        match &self.unit {
            Some(unit) => write!(f, " ({unit})"),
            None => Ok(()),
        }
    }
}
