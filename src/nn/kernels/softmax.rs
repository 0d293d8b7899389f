//! Softmax and log-sum-exp over one row.

use pulp::{Arch, Simd, WithSimd};

/// Independent partial sums, so that a loop over them becomes vector instructions without changing its result.
const PARTS: usize = 32;

/// Turns scores into probabilities: `scores[i] = exp(scores[i]) / Σⱼ exp(scores[j])`. A row of only negative
/// infinity, and an empty one, stay as they are.
pub fn softmax(scores: &mut [f32]) {
    Arch::new().dispatch(Softmax(scores));
}

/// `ln Σᵢ exp(scores[i])`; negative infinity where there is nothing to sum.
pub fn log_sum_exp(scores: &[f32]) -> f32 {
    Arch::new().dispatch(LogSumExp(scores))
}

/// What [`softmax`] computes, written plainly.
pub fn softmax_reference(scores: &mut [f32]) {
    let total = f64::from(log_sum_exp_reference(scores));
    if total.is_finite() {
        for score in scores {
            #[expect(clippy::cast_possible_truncation)]
            let probability = (f64::from(*score) - total).exp() as f32;
            *score = probability;
        }
    }
}

/// What [`log_sum_exp`] computes, written plainly and in double precision.
pub fn log_sum_exp_reference(scores: &[f32]) -> f32 {
    let largest = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    if largest == f32::NEG_INFINITY {
        return largest;
    }
    let sum: f64 = scores.iter().map(|&score| (f64::from(score) - f64::from(largest)).exp()).sum();
    #[expect(clippy::cast_possible_truncation)]
    let result = (f64::from(largest) + sum.ln()) as f32;
    result
}

struct Softmax<'a>(&'a mut [f32]);

impl WithSimd for Softmax<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let largest = largest(self.0);
        if largest == f32::NEG_INFINITY {
            return;
        }
        for score in self.0.iter_mut() {
            *score = exp(*score - largest);
        }
        let scale = sum(self.0, |x| x).recip();
        for score in self.0.iter_mut() {
            *score *= scale;
        }
    }
}

struct LogSumExp<'a>(&'a [f32]);

impl WithSimd for LogSumExp<'_> {
    type Output = f32;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> f32 {
        let largest = largest(self.0);
        if largest == f32::NEG_INFINITY {
            return largest;
        }
        largest + sum(self.0, |score| exp(score - largest)).ln()
    }
}

/// `eˣ` for `x` from negative infinity to 0, within 2 units in the last place; 0 below −87.3.
///
/// Cody–Waite reduction to `|r| ≤ ln 2 / 2`, then the degree-6 polynomial of Cephes' `expf` (Moshier 1989).
#[inline(always)]
pub(super) fn exp(x: f32) -> f32 {
    /// Adding it leaves the nearest whole number in the mantissa's low bits.
    const ROUND: f32 = 12_582_912.0;
    const LOG2_E: f32 = std::f32::consts::LOG2_E;
    const LN_2_HIGH: f32 = 0.693_359_4;
    const LN_2_LOW: f32 = -2.121_944_4e-4;
    const LEAST: f32 = -87.3;
    let clamped = if x > LEAST { x } else { LEAST };
    let shifted = clamped.mul_add(LOG2_E, ROUND);
    let whole = shifted - ROUND;
    let r = whole.mul_add(-LN_2_LOW, whole.mul_add(-LN_2_HIGH, clamped));
    let mut p = 1.987_569_1e-4_f32;
    for coefficient in [1.398_199_9e-3, 8.333_452e-3, 4.166_579_6e-2, 1.666_666_5e-1, 0.5] {
        p = p.mul_add(r, coefficient);
    }
    let mantissa = p.mul_add(r * r, r) + 1.0;
    let power = f32::from_bits(mantissa.to_bits().wrapping_add(shifted.to_bits() << 23));
    // Written so that NaN comes through.
    if x <= LEAST {
        0.0
    } else if x.is_nan() {
        x
    } else {
        power
    }
}

#[inline(always)]
fn largest(values: &[f32]) -> f32 {
    let (chunks, rest) = values.as_chunks::<PARTS>();
    let mut parts = [f32::NEG_INFINITY; PARTS];
    for chunk in chunks {
        for (part, &value) in parts.iter_mut().zip(chunk) {
            *part = if value > *part { value } else { *part };
        }
    }
    parts.iter().chain(rest).fold(f32::NEG_INFINITY, |a, &b| if b > a { b } else { a })
}

#[inline(always)]
fn sum(values: &[f32], of: impl Fn(f32) -> f32) -> f32 {
    let (chunks, rest) = values.as_chunks::<PARTS>();
    let mut parts = [0.0; PARTS];
    for chunk in chunks {
        for (part, &value) in parts.iter_mut().zip(chunk) {
            *part += of(value);
        }
    }
    parts.iter().sum::<f32>() + rest.iter().map(|&value| of(value)).sum::<f32>()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::testing::relative_error;
    use super::*;

    proptest! {
        #[test]
        fn softmax_is_close_to_its_reference(mut scores in prop::collection::vec(-90f32..90.0, 0..200)) {
            let mut expected = scores.clone();
            softmax_reference(&mut expected);
            softmax(&mut scores);
            for (actual, expected) in scores.into_iter().zip(expected) {
                prop_assert!(relative_error(actual, expected, 1e-30) < 2e-5 || expected < 1e-36, "{} {}", actual, expected);
            }
        }

        #[test]
        fn log_sum_exp_is_close_to_its_reference(scores in prop::collection::vec(-50f32..50.0, 1..3000)) {
            prop_assert!((log_sum_exp(&scores) - log_sum_exp_reference(&scores)).abs() < 1e-5);
        }

        #[test]
        fn exp_is_within_two_units_in_the_last_place(x in -87f32..0.0) {
            #[expect(clippy::cast_possible_truncation)]
            let expected = f64::from(x).exp() as f32;
            prop_assert!(exp(x).to_bits().abs_diff(expected.to_bits()) <= 2, "{} {}", exp(x), expected);
        }
    }

    #[test]
    #[expect(clippy::float_cmp, reason = "these results are exact")]
    fn extremes_are_handled() {
        assert_eq!(log_sum_exp(&[]), f32::NEG_INFINITY);
        assert_eq!(log_sum_exp(&[f32::NEG_INFINITY; 40]), f32::NEG_INFINITY);
        let mut one = [f32::NEG_INFINITY, 3.0];
        softmax(&mut one);
        assert_eq!(one, [0.0, 1.0]);
        softmax(&mut []);
        let mut far = [-1e30, 0.0, 1e30];
        softmax(&mut far);
        assert_eq!(far, [0.0, 0.0, 1.0]);
        assert!(log_sum_exp(&[f32::NAN, 1.0]).is_nan());
    }
}
