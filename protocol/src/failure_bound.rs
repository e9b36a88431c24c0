//! How many devices in a million may fail, given what was seen: the upper end of what the count
//! still allows.
//!
//! Exact after Clopper and Pearson, one-sided at 95 %: the largest rate under which so few failures
//! would still happen in one of twenty fields. Without a failure it is the rule of three (3 ÷ n). Not
//! here: whether a rate is acceptable. Invariant: more failures never lower the bound, more successes
//! never raise it, and nothing seen allows anything.

/// A million.
const MILLION: u32 = 1_000_000;
/// The chance that is left for a higher rate: 1 of 20.
const ALPHA: f64 = 0.05;
/// Halvings of the interval; after so many it is narrower than a millionth of a millionth.
const HALVINGS: u32 = 48;
/// Most terms of the continued fraction; it needs about the square root of the count.
const TERMS_MAX: u32 = 5_000;

/// The upper bound of the failure rate at 95 % in parts per million, rounded up.
///
/// `failed` of `seen` devices failed; more failures than devices count as all.
#[must_use]
pub fn upper_ppm(failed: u32, seen: u32) -> u32 {
    if failed >= seen {
        return MILLION;
    }
    // P(at most `failed` of `seen` | rate p) = 1 - I_p(failed + 1, seen - failed).
    let (a, b) = (f64::from(failed) + 1.0, f64::from(seen - failed));
    let (mut low, mut high) = (0.0_f64, 1.0_f64);
    for _ in 0..HALVINGS {
        let middle = f64::midpoint(low, high);
        if 1.0 - incomplete_beta(middle, a, b) > ALPHA {
            low = middle;
        } else {
            high = middle;
        }
    }
    parts(high)
}

/// A rate in parts per million, rounded up.
fn parts(rate: f64) -> u32 {
    // Found by halving: a float has no conversion that cannot fail, and this one needs none.
    let (mut low, mut high) = (0_u32, MILLION);
    while low < high {
        let middle = low.midpoint(high);
        if f64::from(middle) / f64::from(MILLION) < rate {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    high
}

/// The regularised incomplete beta function I_x(a, b) (Abramowitz and Stegun 26.5.8), by the continued
/// fraction on the side where it converges fast.
fn incomplete_beta(x: f64, a: f64, b: f64) -> f64 {
    if x <= 0.0 {
        return 0.0;
    }
    if x >= 1.0 {
        return 1.0;
    }
    let front = (ln_gamma(a + b) - ln_gamma(a) - ln_gamma(b) + a * x.ln() + b * (-x).ln_1p()).exp();
    if x < (a + 1.0) / (a + b + 2.0) {
        front * fraction(x, a, b) / a
    } else {
        1.0 - front * fraction(1.0 - x, b, a) / b
    }
}

/// The continued fraction, by Lentz's method.
fn fraction(x: f64, a: f64, b: f64) -> f64 {
    let tiny = f64::MIN_POSITIVE / f64::EPSILON;
    let away = |value: f64| if value.abs() < tiny { tiny } else { value };
    let mut c = 1.0;
    let mut d = 1.0 / away(1.0 - (a + b) * x / (a + 1.0));
    let mut sum = d;
    for term in 1..=TERMS_MAX {
        let m = f64::from(term);
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        d = 1.0 / away(1.0 + even * d);
        c = away(1.0 + even / c);
        sum *= d * c;
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        d = 1.0 / away(1.0 + odd * d);
        c = away(1.0 + odd / c);
        let step = d * c;
        sum *= step;
        if (step - 1.0).abs() < 1e-15 {
            break;
        }
    }
    sum
}

/// The logarithm of the gamma function for x >= 1, by Stirling's series after moving x above 15.
fn ln_gamma(x: f64) -> f64 {
    let (mut x, mut moved) = (x, 0.0);
    while x < 15.0 {
        moved += x.ln();
        x += 1.0;
    }
    let square = x * x;
    let series = (1.0 / 12.0
        - (1.0 / 360.0 - (1.0 / 1260.0 - 1.0 / (1680.0 * square)) / square) / square)
        / x;
    (x - 0.5) * x.ln() - x + 0.5 * std::f64::consts::TAU.ln() + series - moved
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// P(at most `failed` of `seen` fail) at a rate, term by term.
    fn at_most(failed: u32, seen: u32, rate: f64) -> f64 {
        let mut term = f64::from(seen) * (-rate).ln_1p();
        let mut sum = term.exp();
        for k in 0..failed {
            term += (f64::from(seen - k) / f64::from(k + 1)).ln() + (rate / (1.0 - rate)).ln();
            sum += term.exp();
        }
        sum
    }

    #[test]
    fn without_a_failure_it_is_the_rule_of_three() {
        for seen in [50, 100, 1_000, 10_000, 100_000] {
            let three = 3_000_000 / seen;
            let bound = upper_ppm(0, seen);
            assert!(bound <= three && bound * 100 >= three * 96, "{seen}: {bound} and {three}");
        }
    }

    #[test]
    fn known_values_are_met() {
        // 1 - 0.05^(1/n), and tables of the Clopper-Pearson limit (one-sided, 95 %).
        for (failed, seen, ppm) in [
            (0, 1, 950_000),
            (0, 10, 258_866),
            (0, 59, 49_508),
            (1, 10, 394_164),
            (2, 20, 282_618),
            (5, 100, 102_254),
        ] {
            let bound = upper_ppm(failed, seen);
            assert!(bound.abs_diff(ppm) <= 20, "{failed} of {seen}: {bound}, not {ppm}");
        }
    }

    #[test]
    fn nothing_seen_and_nothing_but_failures_allow_everything() {
        assert_eq!(upper_ppm(0, 0), MILLION);
        assert_eq!(upper_ppm(7, 7), MILLION);
        assert_eq!(upper_ppm(9, 7), MILLION);
    }

    proptest! {
        #[test]
        fn the_bound_is_where_so_few_failures_are_one_in_twenty(
            seen in 1_u32..3_000, part in 0_u32..1_000,
        ) {
            let failed = (seen - 1) * part / 1_000;
            let rate = f64::from(upper_ppm(failed, seen)) / 1e6;
            let below = (rate - 2e-6).max(0.0);
            prop_assert!(at_most(failed, seen, below) > 0.0499);
            prop_assert!(rate >= 1.0 || at_most(failed, seen, rate) < 0.0501);
        }

        #[test]
        fn more_failures_raise_it_and_more_successes_lower_it(
            seen in 1_u32..200_000, failed in 0_u32..500,
        ) {
            let bound = upper_ppm(failed, seen);
            prop_assert!(upper_ppm(failed + 1, seen) >= bound);
            prop_assert!(upper_ppm(failed, seen + 1) <= bound);
            prop_assert!(bound >= MILLION.min(failed.saturating_mul(1_000) / seen * 1_000));
        }
    }
}
