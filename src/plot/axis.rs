//! The axes of a plot.

use super::scale::Scale;

/// An axis: its name, its unit and whether it is logarithmic.
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
    places: Places,
}

/// What the places on an axis are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Places {
    /// Numbers, written with thousands apart.
    #[default]
    Numbers,
    /// Years: whole numbers, written as they are.
    Years,
    /// Moments, in seconds since the epoch, written as dates.
    Dates,
    /// These names, at 0, 1 and so on.
    Names(Vec<String>),
}

impl Axis {
    /// A linear axis with a name.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            unit: None,
            logarithmic: false,
            places: Places::Numbers,
        }
    }

    /// The same with a unit, written after the name in brackets.
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

    /// The same with other places than numbers; not with a logarithmic scale.
    #[must_use]
    pub fn places(mut self, places: Places) -> Self {
        self.places = places;
        self
    }

    /// The scale that holds all values.
    pub(super) fn scale(&self, values: impl Iterator<Item = f64>) -> Scale {
        let scale = Scale::around(values, self.logarithmic);
        match &self.places {
            Places::Numbers => scale,
            Places::Years => scale.of_years(),
            Places::Dates => scale.of_dates(),
            Places::Names(names) => scale.of_names(names),
        }
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
