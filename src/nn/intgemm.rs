//! Linear layers in 8-bit integers that come with a model, rounded as intgemm (github.com/kpu/intgemm) does it in Marian
//! and Bergamot: a multiplier for a whole matrix, and one for all activations of a layer.
//!
//! Only what is done to the numbers around the products is intgemm's. The products are the kernels' own: integers are
//! exact in any order, so that they equal those of intgemm's VNNI kernel. (Its AVX2 kernel adds pairs of products up in
//! 16 bits, which saturate.)

use std::sync::Arc;

use super::kernels::{Activation, QuantizedMatrix, QuantizedRows, RowScale, largest_magnitude, matmul_int8};

/// The largest integer of a rounded activation; −128 isn't used.
const LARGEST: f32 = 127.0;
/// What Bergamot's `int8shiftAlphaAll` adds to an activation's integer, to make it one without a sign.
const SHIFT: u8 = 127;

/// A matrix `[outputs, inputs]` as a model has it.
#[derive(Clone)]
pub struct IntgemmMatrix {
    /// Row-major.
    integers: Arc<[i8]>,
    outputs: usize,
    inputs: usize,
    multiplier: f32,
}

/// `y = activation(x · weightᵀ + bias)` over rows, with weights and activations rounded.
pub struct IntgemmLinear {
    weight: QuantizedMatrix,
    bias: Vec<f32>,
    rounding: Rounding,
    activation: Activation,
}

/// How a layer rounds its activations.
enum Rounding {
    /// By this multiplier, which the model has.
    Fixed(f32),
    /// By one for each sentence, from the largest activation in it, as Marian does with a batch.
    BySentence {
        /// That of the weights.
        weight_multiplier: f32,
    },
}

impl IntgemmMatrix {
    /// A matrix of row-major integers, which are its numbers times `multiplier`.
    ///
    /// # Panics
    /// When there aren't `outputs * inputs` integers.
    pub fn new(integers: Vec<i8>, outputs: usize, inputs: usize, multiplier: f32) -> Self {
        assert_eq!(integers.len(), outputs * inputs, "the matrix' shape");
        Self { integers: integers.into(), outputs, inputs, multiplier }
    }

    /// Number of output features.
    pub fn outputs(&self) -> usize {
        self.outputs
    }

    /// A row's numbers.
    ///
    /// # Panics
    /// When there is no such row.
    pub fn row(&self, output: usize) -> impl Iterator<Item = f32> + '_ {
        let scale = 1.0 / self.multiplier;
        self.integers(output).iter().map(move |&integer| f32::from(integer) * scale)
    }

    fn integers(&self, output: usize) -> &[i8] {
        &self.integers[output * self.inputs..(output + 1) * self.inputs]
    }

    /// What turns a sum of products of integers into one of numbers.
    fn scale(&self, multiplier: f32) -> f32 {
        1.0 / (multiplier * self.multiplier)
    }
}

impl IntgemmLinear {
    /// A layer with a `bias` `[outputs]`. Activations are multiplied by `multiplier`, or by what the largest of their
    /// sentence allows.
    ///
    /// # Panics
    /// When the bias hasn't a number for every output.
    pub fn new(weight: &IntgemmMatrix, bias: &[f32], multiplier: Option<f32>) -> Self {
        assert_eq!(bias.len(), weight.outputs, "the bias' shape");
        Self::with_outputs(weight, bias, multiplier, weight.outputs, |output| output)
    }

    /// The same layer with some of the outputs only.
    ///
    /// # Panics
    /// When there is no such output, or the bias hasn't a number for it.
    pub fn of_outputs(
        weight: &IntgemmMatrix,
        bias: &[f32],
        multiplier: Option<f32>,
        outputs: &[u32],
    ) -> Self {
        Self::with_outputs(weight, bias, multiplier, outputs.len(), |index| outputs[index] as usize)
    }

    fn with_outputs(
        weight: &IntgemmMatrix,
        bias: &[f32],
        multiplier: Option<f32>,
        count: usize,
        output: impl Fn(usize) -> usize + Sync,
    ) -> Self {
        let pack = |shift, scale| {
            let row = |index| (weight.integers(output(index)), scale);
            QuantizedMatrix::from_integers(count, weight.inputs, shift, row)
        };
        let bias = (0..count).map(|index| bias[output(index)]);
        match multiplier {
            Some(multiplier) => {
                let scale = weight.scale(multiplier);
                // The bias takes the shift back. That changes nothing but how the last step rounds.
                #[expect(clippy::cast_precision_loss, reason = "rounded as the reference rounds it")]
                let sum = |index| {
                    let integers = weight.integers(output(index));
                    integers.iter().map(|&integer| i32::from(integer)).sum::<i32>() as f32
                };
                let taken_back = f32::from(SHIFT) * scale;
                Self {
                    weight: pack(SHIFT, scale),
                    bias: bias.enumerate().map(|(index, bias)| bias - taken_back * sum(index)).collect(),
                    rounding: Rounding::Fixed(multiplier),
                    activation: Activation::None,
                }
            }
            None => Self {
                weight: pack(0, 1.0),
                bias: bias.collect(),
                rounding: Rounding::BySentence { weight_multiplier: weight.multiplier },
                activation: Activation::None,
            },
        }
    }

    /// The same layer with an activation function behind it.
    pub fn with_activation(self, activation: Activation) -> Self {
        Self { activation, ..self }
    }

    /// Rows `[rows, inputs]` to `y` `[rows, outputs]`, both row-major; sentences have so many rows each, one behind the
    /// other.
    ///
    /// # Panics
    /// When the lengths don't add up to the rows.
    pub fn run(&self, x: &[f32], lengths: &[usize], y: &mut Vec<f32>) {
        let inputs = self.weight.inputs();
        let mut scales = Vec::with_capacity(x.len() / inputs);
        let mut rest = x;
        for &length in lengths {
            let (sentence, others) = rest.split_at(length * inputs);
            rest = others;
            scales.extend(std::iter::repeat_n(self.row_scale(sentence), length));
        }
        y.resize(scales.len() * self.weight.outputs(), 0.0);
        self.multiply(x, &scales, y);
    }

    /// Rows `[rows, inputs]` that are a sentence each to `output` `[rows, outputs]`, both row-major.
    ///
    /// # Panics
    /// When a slice's length isn't its shape's.
    pub fn project(&self, rows: &[f32], output: &mut [f32]) {
        let scales: Vec<RowScale> =
            rows.chunks_exact(self.weight.inputs()).map(|row| self.row_scale(row)).collect();
        self.multiply(rows, &scales, output);
    }

    fn multiply(&self, rows: &[f32], scales: &[RowScale], output: &mut [f32]) {
        QuantizedRows::borrow(|quantized| {
            let rows = quantized.by_scales(rows, self.weight.inputs(), scales);
            matmul_int8(rows, &self.weight, Some(&self.bias), self.activation, output);
        });
    }

    /// The scale of all rows of a sentence.
    fn row_scale(&self, sentence: &[f32]) -> RowScale {
        match self.rounding {
            // The scale of its sums is the weights'.
            Rounding::Fixed(multiplier) => RowScale { multiplier, scale: 1.0 },
            Rounding::BySentence { weight_multiplier } => {
                let multiplier = match largest_magnitude(sentence) {
                    0.0 => 1.0,
                    largest => LARGEST / largest,
                };
                RowScale { multiplier, scale: 1.0 / (multiplier * weight_multiplier) }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::kernels::testing::{numbers, relative_error};

    fn matrix() -> IntgemmMatrix {
        IntgemmMatrix::new(vec![64, -32, 16, 127, 0, -127], 2, 3, 63.5)
    }

    fn layer(multiplier: Option<f32>) -> IntgemmLinear {
        IntgemmLinear::new(&matrix(), &[0.5, -1.0], multiplier)
    }

    fn run(layer: &IntgemmLinear, x: &[f32], lengths: &[usize]) -> Vec<f32> {
        let mut y = Vec::new();
        layer.run(x, lengths, &mut y);
        y
    }

    #[test]
    fn a_layer_is_close_to_the_product_that_it_stands_for() {
        let x = numbers(7, 12);
        for multiplier in [None, Some(127.0)] {
            let actual = run(&layer(multiplier), &x, &[3, 1]);
            for (x, actual) in x.chunks_exact(3).zip(actual.chunks_exact(2)) {
                let exact = [
                    (64.0 * x[0] - 32.0 * x[1] + 16.0 * x[2]) / 63.5 + 0.5,
                    (127.0 * x[0] - 127.0 * x[2]) / 63.5 - 1.0,
                ];
                for (&actual, exact) in actual.iter().zip(exact) {
                    assert!(relative_error(actual, exact, 1.0) < 0.03, "{actual} {exact}");
                }
            }
        }
    }

    #[test]
    fn a_row_of_the_matrix_is_divided_by_its_multiplier() {
        let row: Vec<f32> = matrix().row(1).collect();
        for (actual, expected) in row.into_iter().zip([2.0, 0.0, -2.0]) {
            assert!((actual - expected).abs() < 1e-6, "{actual} {expected}");
        }
    }

    #[test]
    fn a_sentence_is_the_same_beside_any_other() {
        let quiet = numbers(1, 6);
        let loud: Vec<f32> = numbers(2, 3).iter().map(|x| x * 90.0).collect();
        let both = [loud, quiet.clone()].concat();
        let layer = layer(None);
        assert_eq!(run(&layer, &both, &[1, 2])[2..], run(&layer, &quiet, &[2]));
    }

    #[test]
    fn chosen_outputs_are_those_among_all() {
        let input = numbers(3, 6);
        for multiplier in [None, Some(100.0)] {
            let (mut all, mut chosen) = ([0.0; 4], [0.0; 6]);
            layer(multiplier).project(&input, &mut all);
            let some = IntgemmLinear::of_outputs(&matrix(), &[0.5, -1.0], multiplier, &[1, 0, 1]);
            some.project(&input, &mut chosen);
            let expected = [all[1], all[0], all[1], all[3], all[2], all[3]];
            assert_eq!(chosen.map(f32::to_bits), expected.map(f32::to_bits));
        }
    }

    #[test]
    fn a_row_of_zeros_is_the_bias() {
        let mut output = [9.0; 2];
        layer(None).project(&[0.0; 3], &mut output);
        assert_eq!(output.map(f32::to_bits), [0.5f32, -1.0].map(f32::to_bits));
    }
}
