//! Activation functions that a matrix product applies to its result while it is at hand.

use super::softmax::exp;

/// What is done to every number of a matrix product.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Activation {
    /// Nothing.
    #[default]
    None,
    /// `max(x, 0)`.
    Relu,
    /// `x / (1 + e⁻ˣ)`, also called swish.
    Silu,
}

impl Activation {
    /// Applies the function to every number.
    #[inline(always)]
    pub(super) fn apply(self, values: &mut [f32]) {
        match self {
            Self::None => {}
            // Written so that NaN comes through.
            Self::Relu => values.iter_mut().for_each(|x| *x = if *x < 0.0 { 0.0 } else { *x }),
            Self::Silu => values.iter_mut().for_each(|x| *x = silu(*x)),
        }
    }

    /// What the function computes, written plainly and in double precision.
    pub fn reference(self, x: f32) -> f32 {
        match self {
            Self::None => x,
            Self::Relu => x.max(0.0),
            #[expect(clippy::cast_possible_truncation)]
            Self::Silu => (f64::from(x) / (1.0 + (-f64::from(x)).exp())) as f32,
        }
    }
}

#[inline(always)]
fn silu(x: f32) -> f32 {
    let e = exp(-x.abs());
    x * (if x < 0.0 { e } else { 1.0 }) / (1.0 + e)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn is_close_to_its_reference(x in -100f32..100.0) {
            for function in [Activation::None, Activation::Relu, Activation::Silu] {
                let mut values = [x];
                function.apply(&mut values);
                let expected = function.reference(x);
                // Below −87.3 `exp` gives zero.
                let allowed = 1e-6 * expected.abs() + x.abs() * (-87.3f32).exp();
                prop_assert!((values[0] - expected).abs() <= allowed, "{} {}", values[0], expected);
            }
        }
    }

    #[test]
    fn not_a_number_comes_through() {
        for function in [Activation::None, Activation::Relu, Activation::Silu] {
            let mut values = [f32::NAN];
            function.apply(&mut values);
            assert!(values[0].is_nan(), "{function:?}");
        }
    }
}
