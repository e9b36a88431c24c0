//! Whole numbers as real ones, for ratios; means of ratios.

/// The nearest real number.
#[must_use]
pub fn real(number: u64) -> f64 {
    let high = u32::try_from(number >> 32).unwrap_or(u32::MAX);
    let low = u32::try_from(number & u64::from(u32::MAX)).unwrap_or(u32::MAX);
    f64::from(high) * 4_294_967_296.0 + f64::from(low)
}

/// The geometric mean; none of nothing.
#[must_use]
pub fn geometric_mean(ratios: &[f64]) -> Option<f64> {
    let count = u32::try_from(ratios.len()).ok().filter(|count| *count > 0)?;
    let logarithms: f64 = ratios.iter().map(|ratio| ratio.ln()).sum();
    Some((logarithms / f64::from(count)).exp())
}

/// The largest; none of nothing.
#[must_use]
pub fn largest(numbers: &[f64]) -> Option<f64> {
    numbers.iter().copied().reduce(f64::max)
}

/// The smallest; none of nothing.
#[must_use]
pub fn least(numbers: &[f64]) -> Option<f64> {
    numbers.iter().copied().reduce(f64::min)
}

/// The one in the middle, or the larger of the two there; none of nothing.
#[must_use]
pub fn median(numbers: &[f64]) -> Option<f64> {
    let mut sorted = numbers.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ratios_that_cancel_have_the_mean_one() {
        let mean = geometric_mean(&[0.5, 2.0]).unwrap();
        assert!((mean - 1.0).abs() < 1e-9);
        assert!(geometric_mean(&[]).is_none());
    }

    #[test]
    fn large_numbers_keep_their_size() {
        assert!((real(1 << 40) - 1_099_511_627_776.0).abs() < 0.5);
    }

    #[test]
    fn the_median_does_not_care_for_order() {
        assert_eq!(median(&[3.0, 1.0, 2.0]), Some(2.0));
    }
}
