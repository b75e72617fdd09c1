//! What one scenario found: rows of those compared, columns of what was measured, a sample per round.

use serde::Serialize;

use crate::stats::Spread;

/// One scenario's result.
#[derive(Clone, Debug, Serialize)]
pub struct Scenario {
    /// As its source file and its plots are called.
    pub name: &'static str,
    /// Its heading.
    pub title: String,
    /// What was done, in whole sentences.
    pub setting: String,
    /// What was measured. Less is better in all.
    pub columns: Vec<Column>,
    /// Who was measured, in the order shown.
    pub rows: Vec<Row>,
}

/// There is no such scenario.
#[derive(Debug, thiserror::Error)]
#[error("there is no scenario {name}; there are: {known}")]
pub struct UnknownScenario {
    name: String,
    known: String,
}

/// Those of `all` with these names; all where there are none.
///
/// # Errors
/// Names one that there is not, and those that there are.
pub fn chosen<K: Copy>(
    all: &[(&'static str, K)],
    names: &[String],
) -> Result<Vec<K>, UnknownScenario> {
    if names.is_empty() {
        return Ok(all.iter().map(|(_, kind)| *kind).collect());
    }
    let find = |name: &String| {
        let found = all.iter().find(|(known, _)| known == name);
        found.map(|(_, kind)| *kind).ok_or_else(|| UnknownScenario {
            name: name.clone(),
            known: all.iter().map(|(known, _)| *known).collect::<Vec<_>>().join(", "),
        })
    };
    names.iter().map(find).collect()
}

/// One quantity.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Column {
    /// With its unit.
    pub name: String,
    /// Digits behind the point.
    pub digits: usize,
    /// What it is to the comparison.
    pub part: Part,
}

/// What a quantity is to a comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Part {
    /// It is what the comparison is about: it has ratios and a plot.
    Compared,
    /// It is said where the subject loses.
    Weighed,
    /// It only shows something about the comparison.
    Beside,
}

/// One of those compared.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    /// What it is called.
    pub name: String,
    /// Whether it takes part in the comparison, rather than only showing something about it.
    pub compared: bool,
    /// By round, a value for each column; not a number where there is none.
    pub samples: Vec<Vec<f64>>,
}

impl Column {
    /// A quantity that the comparison is about.
    pub fn compared(name: impl Into<String>, digits: usize) -> Self {
        Self { name: name.into(), digits, part: Part::Compared }
    }

    /// A quantity that the subject may lose in, without ratios of its own.
    pub fn weighed(name: impl Into<String>, digits: usize) -> Self {
        Self { name: name.into(), digits, part: Part::Weighed }
    }

    /// A quantity that only shows something.
    pub fn beside(name: impl Into<String>, digits: usize) -> Self {
        Self { name: name.into(), digits, part: Part::Beside }
    }
}

impl Row {
    /// One that takes part, without samples as yet.
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), compared: true, samples: Vec::new() }
    }

    /// One that only shows something about the comparison.
    pub fn beside(name: impl Into<String>) -> Self {
        Self { compared: false, ..Self::new(name) }
    }

    /// Its values in a column, over the rounds.
    pub fn values(&self, column: usize) -> impl Iterator<Item = f64> {
        let values = self.samples.iter().filter_map(move |sample| sample.get(column).copied());
        values.filter(|value| value.is_finite())
    }

    /// Their spread.
    pub fn spread(&self, column: usize) -> Option<Spread> {
        Spread::of(self.values(column))
    }

    /// How many times as much as `other` it has in a column: the median over the rounds, since what
    /// else the machine did hit both in the same round.
    pub fn ratio(&self, other: &Self, column: usize) -> Option<f64> {
        let ratios = self.samples.iter().zip(&other.samples).filter_map(|(own, other)| {
            let ratio = own.get(column)? / other.get(column)?;
            ratio.is_finite().then_some(ratio)
        });
        Spread::of(ratios).map(|spread| spread.median)
    }
}

impl Scenario {
    /// The row called `name`, where it takes part in the comparison.
    pub fn row(&self, name: &str) -> Option<&Row> {
        self.rows.iter().find(|row| row.compared && row.name == name)
    }

    /// The columns that the comparison is about, with their numbers.
    pub fn compared(&self) -> impl Iterator<Item = (usize, &Column)> {
        self.columns.iter().enumerate().filter(|(_, column)| column.part == Part::Compared)
    }

    /// The columns that the subject can lose in, with their numbers.
    pub fn weighed(&self) -> impl Iterator<Item = (usize, &Column)> {
        self.columns.iter().enumerate().filter(|(_, column)| column.part != Part::Beside)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ratio_compares_what_ran_in_the_same_round() {
        let row = |values: [f64; 3]| Row {
            samples: values.map(|value| vec![value]).into(),
            ..Row::new("x")
        };
        // The machine was three times slower in the second round.
        assert_eq!(row([2.0, 6.0, 2.0]).ratio(&row([1.0, 3.0, 1.0]), 0), Some(2.0));
        assert_eq!(row([1.0, 1.0, 1.0]).ratio(&row([0.0, f64::NAN, 4.0]), 0), Some(0.25));
        assert_eq!(row([1.0, 1.0, 1.0]).ratio(&Row::new("none"), 0), None);
    }
}
