//! Layer normalisation, alone and fused with the residual connection before it.

use pulp::{Arch, Simd, WithSimd};

/// `row = LayerNorm(row + input) · weight + bias` for each row of `features` numbers (Ba et al. 2016), in place.
///
/// # Panics
/// When a slice's length isn't its shape's.
pub fn add_layer_norm(input: &[f32], rows: &mut [f32], weight: &[f32], bias: &[f32], epsilon: f32) {
    add(input, rows);
    layer_norm(rows, weight, bias, epsilon);
}

/// `row = row + input`.
///
/// # Panics
/// When the slices' lengths differ.
pub fn add(input: &[f32], rows: &mut [f32]) {
    assert_eq!(input.len(), rows.len(), "the rows' shapes");
    rows.iter_mut().zip(input).for_each(|(x, y)| *x += y);
}

/// `row = LayerNorm(row) · weight + bias` for each row of `features` numbers, in place.
///
/// # Panics
/// When a slice's length isn't its shape's.
pub fn layer_norm(rows: &mut [f32], weight: &[f32], bias: &[f32], epsilon: f32) {
    assert!(weight.len() == bias.len() && rows.len().is_multiple_of(weight.len()), "the rows' shapes");
    for row in rows.chunks_exact_mut(weight.len()) {
        Arch::new().dispatch(Normalise { row, weight, bias, epsilon });
    }
}

/// What [`add_layer_norm`] computes, written plainly.
pub fn add_layer_norm_reference(
    input: &[f32],
    residual: &[f32],
    weight: &[f32],
    bias: &[f32],
    epsilon: f32,
) -> Vec<f32> {
    let sums: Vec<f32> = input.iter().zip(residual).map(|(x, y)| x + y).collect();
    layer_norm_reference(&sums, weight, bias, epsilon)
}

/// What [`layer_norm`] computes, written plainly and in double precision.
#[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation)]
pub fn layer_norm_reference(rows: &[f32], weight: &[f32], bias: &[f32], epsilon: f32) -> Vec<f32> {
    let features = weight.len();
    let mut output = Vec::new();
    for row in rows.chunks_exact(features) {
        let row: Vec<f64> = row.iter().map(|&x| f64::from(x)).collect();
        let mean = row.iter().sum::<f64>() / features as f64;
        let variance = row.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / features as f64;
        let scale = 1.0 / (variance + f64::from(epsilon)).sqrt();
        let scaled = row.iter().zip(weight.iter().zip(bias));
        output.extend(scaled.map(|(x, (w, b))| ((x - mean) * scale * f64::from(*w) + f64::from(*b)) as f32));
    }
    output
}

struct Normalise<'a> {
    row: &'a mut [f32],
    weight: &'a [f32],
    bias: &'a [f32],
    epsilon: f32,
}

impl WithSimd for Normalise<'_> {
    type Output = ();

    #[expect(clippy::cast_precision_loss, reason = "a row's length is far below 2²⁴")]
    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let features = self.row.len() as f32;
        let mean = sum(self.row, |x| x) / features;
        let variance = sum(self.row, |x| (x - mean) * (x - mean)) / features;
        let scale = (variance + self.epsilon).sqrt().recip();
        for (x, (w, b)) in self.row.iter_mut().zip(self.weight.iter().zip(self.bias)) {
            *x = ((*x - mean) * scale).mul_add(*w, *b);
        }
    }
}

#[inline(always)]
fn sum(row: &[f32], of: impl Fn(f32) -> f32) -> f32 {
    let (chunks, rest) = row.as_chunks::<32>();
    let mut parts = [0.0; 32];
    for chunk in chunks {
        for (part, &x) in parts.iter_mut().zip(chunk) {
            *part += of(x);
        }
    }
    parts.iter().sum::<f32>() + rest.iter().map(|&x| of(x)).sum::<f32>()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::testing::{numbers, relative_error};
    use super::*;

    proptest! {
        #[test]
        fn is_close_to_its_reference(rows in 0usize..5, features in 2usize..150, seed in 0u64..1000) {
            let (input, residual) = (numbers(seed, rows * features), numbers(seed + 1, rows * features));
            let (weight, bias) = (numbers(seed + 2, features), numbers(seed + 3, features));
            let mut output = residual.clone();
            add_layer_norm(&input, &mut output, &weight, &bias, 1e-5);
            let expected = add_layer_norm_reference(&input, &residual, &weight, &bias, 1e-5);
            for (actual, expected) in output.into_iter().zip(expected) {
                prop_assert!(relative_error(actual, expected, 1.0) < 1e-4, "{} {}", actual, expected);
            }
        }

        #[test]
        fn alone_it_is_close_to_its_reference(rows in 0usize..5, features in 2usize..150, seed in 0u64..1000) {
            let input = numbers(seed, rows * features);
            let (weight, bias) = (numbers(seed + 2, features), numbers(seed + 3, features));
            let mut output = input.clone();
            layer_norm(&mut output, &weight, &bias, 1e-5);
            for (actual, expected) in output.into_iter().zip(layer_norm_reference(&input, &weight, &bias, 1e-5)) {
                prop_assert!(relative_error(actual, expected, 1.0) < 1e-4, "{} {}", actual, expected);
            }
        }
    }

    #[test]
    fn a_constant_row_is_its_bias() {
        let mut output = vec![1.0; 6];
        add_layer_norm(&[3.0; 6], &mut output, &[2.0; 6], &[0.5; 6], 1e-5);
        assert_eq!(output, [0.5; 6]);
    }
}
