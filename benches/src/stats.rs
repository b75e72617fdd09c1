//! What is told of many numbers.

/// The smallest value that at least the share `q` of the sorted values does not exceed; 0 of none.
pub fn quantile(sorted: &[f64], q: f64) -> f64 {
    let rank = (q * sorted.len() as f64).ceil() as usize;
    sorted.get(rank.saturating_sub(1)).copied().unwrap_or_default()
}

/// The mean; 0 of none.
pub fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / (values.len().max(1)) as f64
}

/// What `y` grows by per `x`, by least squares; 0 where all `x` are the same.
pub fn slope(points: &[(f64, f64)]) -> f64 {
    let count = points.len() as f64;
    let (x, y) = points.iter().fold((0.0, 0.0), |(x, y), point| (x + point.0, y + point.1));
    let (x, y) = (x / count, y / count);
    let (above, below) = points.iter().fold((0.0, 0.0), |(above, below), point| {
        (above + (point.0 - x) * (point.1 - y), below + (point.0 - x).powi(2))
    });
    if below == 0.0 { 0.0 } else { above / below }
}

/// The middle and the ends of the values of all rounds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spread {
    /// Half of the values are at most this.
    pub median: f64,
    /// The smallest.
    pub least: f64,
    /// The largest.
    pub most: f64,
}

impl Spread {
    /// Of `values`; `None` of none.
    pub fn of(values: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut values: Vec<f64> = values.into_iter().collect();
        values.sort_by(f64::total_cmp);
        let (least, most) = (*values.first()?, *values.last()?);
        let median = (values[(values.len() - 1) / 2] + values[values.len() / 2]) / 2.0;
        Some(Self { median, least, most })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_values_that_occurred() {
        let values: Vec<f64> = (1..=1000).map(f64::from).collect();
        assert_eq!([0.5, 0.99, 0.999].map(|q| quantile(&values, q)), [500.0, 990.0, 999.0]);
        assert_eq!([0.5, 1.0].map(|q| quantile(&[7.0], q)), [7.0, 7.0]);
        assert_eq!((quantile(&[], 0.5), mean(&[])), (0.0, 0.0));
    }

    #[test]
    fn a_slope_does_not_see_the_offset() {
        assert_eq!(slope(&[(1.0, 105.0), (2.0, 110.0), (3.0, 115.0)]), 5.0);
        assert_eq!(slope(&[(1.0, 105.0)]), 0.0);
    }

    #[test]
    fn a_spread_has_the_middle_of_even_and_odd_many() {
        let spread = |median, least, most| Some(Spread { median, least, most });
        assert_eq!(Spread::of([3.0, 1.0, 2.0]), spread(2.0, 1.0, 3.0));
        assert_eq!(Spread::of([4.0, 1.0, 2.0, 3.0]), spread(2.5, 1.0, 4.0));
        assert_eq!(Spread::of([]), None);
    }
}
