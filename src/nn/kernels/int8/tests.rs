use proptest::prelude::*;

use super::super::matmul_reference;
use super::super::testing::{numbers, relative_error};
use super::*;

fn pack(weight: &[f32], outputs: usize, inputs: usize) -> QuantizedMatrix {
    QuantizedMatrix::quantize(outputs, inputs, |row, values| {
        values.copy_from_slice(&weight[row * inputs..(row + 1) * inputs]);
    })
}

fn multiply(
    input: &[f32],
    weight: &QuantizedMatrix,
    bias: Option<&[f32]>,
    activation: Activation,
    output: &mut [f32],
) {
    matmul_int8(
        QuantizedRows::default().by_largest(input, weight.inputs()),
        weight,
        bias,
        activation,
        output,
    );
}

fn product(rows: usize, inputs: usize, outputs: usize, seed: u64) -> (Vec<f32>, Vec<f32>, Vec<f32>) {
    let (input, weight) = (numbers(seed, rows * inputs), numbers(seed + 1, outputs * inputs));
    let bias = numbers(seed + 2, outputs);
    let packed = pack(&weight, outputs, inputs);
    let mut output = vec![f32::NAN; rows * outputs];
    multiply(&input, &packed, Some(&bias), Activation::None, &mut output);
    let reference = matmul_int8_reference(&input, &packed, Some(&bias), Activation::None);
    (output, reference, matmul_reference(&input, &weight, inputs, Some(&bias)))
}

proptest! {
    #[test]
    fn equals_its_reference_to_the_bit_and_is_close_to_the_exact_product(
        rows in 0usize..30, inputs in 1usize..300, outputs in 1usize..100, seed in 0u64..1000,
    ) {
        let (actual, reference, exact) = product(rows, inputs, outputs, seed);
        prop_assert_eq!(&actual, &reference);
        // Each side is rounded by at most half of 1/127 of its row's largest, below 1 here; the errors add up as a
        // random walk, with room to spare.
        #[expect(clippy::cast_precision_loss)]
        let tolerance = 0.02 * (inputs as f32).sqrt() + 0.02;
        for (actual, exact) in actual.iter().zip(&exact) {
            prop_assert!((actual - exact).abs() < tolerance, "{} {}", actual, exact);
        }
    }

    #[test]
    fn rows_come_back_as_they_were_rounded(outputs in 1usize..70, inputs in 1usize..50, seed in 0u64..1000) {
        let weight = numbers(seed, outputs * inputs);
        let packed = pack(&weight, outputs, inputs);
        let mut row = vec![f32::NAN; inputs];
        for (index, expected) in weight.chunks_exact(inputs).enumerate() {
            packed.row(index, &mut row);
            for (actual, expected) in row.iter().zip(expected) {
                prop_assert!((actual - expected).abs() <= 0.5 / 127.0 + 1e-6);
            }
        }
    }
}

proptest! {
    #[test]
    fn given_integers_and_scales_are_used_as_they_are(
        rows in 0usize..30, inputs in 1usize..300, outputs in 1usize..100, shift in 0u8..=127, seed in 0u64..1000,
    ) {
        let weight = integers(seed, outputs * inputs);
        let row = |output: usize| (&weight[output * inputs..(output + 1) * inputs], exact(output) + 1.0);
        let packed = QuantizedMatrix::from_integers(outputs, inputs, shift, row);
        let input: Vec<f32> = integers(seed + 1, rows * inputs).iter().map(|&x| f32::from(x)).collect();
        let scales: Vec<RowScale> =
            (0..rows).map(|row| RowScale { multiplier: exact(row) / 4.0, scale: 0.5 }).collect();
        let mut output = vec![f32::NAN; rows * outputs];
        let mut quantized = QuantizedRows::default();
        let quantized = quantized.by_scales(&input, inputs, &scales);
        matmul_int8(quantized, &packed, None, Activation::None, &mut output);
        for ((input, scale), output) in input.chunks_exact(inputs).zip(scales).zip(output.chunks_exact(outputs)) {
            for (index, actual) in output.iter().enumerate() {
                let (weight, lane_scale) = row(index);
                let products = input.iter().zip(weight).map(|(&x, &w)| {
                    let rounded = (x * scale.multiplier).round_ties_even().clamp(-127.0, 127.0);
                    (rounded + f32::from(shift)) * f32::from(w)
                });
                // Far below 2²⁴, so that single precision has it exactly; `sum` would make −0 of nothing but −0.
                let expected = products.fold(0.0, |sum: f32, x| sum + x) * (lane_scale * scale.scale);
                prop_assert_eq!(actual.to_bits(), expected.to_bits());
            }
        }
    }
}

#[test]
fn given_scales_round_half_to_even_and_hold_what_is_too_large() {
    let input = [0.5, 1.5, 2.5, -0.5, -1.5, 126.6, 1e9, -1e9, f32::NAN, f32::INFINITY, -1e-40, 127.4];
    let packed = QuantizedMatrix::from_integers(1, 1, 0, |_| (&[1], 1.0));
    let mut output = [9.0; 12];
    let mut quantized = QuantizedRows::default();
    let quantized = quantized.by_scales(&input, 1, &[RowScale { multiplier: 1.0, scale: 1.0 }; 12]);
    matmul_int8(quantized, &packed, None, Activation::None, &mut output);
    let expected: [i8; 12] = [0, 2, 2, 0, -2, 127, 127, -127, 0, 127, 0, 127];
    assert_eq!(output.map(f32::to_bits), expected.map(f32::from).map(f32::to_bits));
}

#[test]
fn extreme_integers_neither_saturate_nor_overflow() {
    let inputs = 1 << 16;
    let weight = vec![-128; inputs];
    let packed = QuantizedMatrix::from_integers(1, inputs, 127, |_| (&weight, 1.0));
    let mut output = [0.0];
    let mut quantized = QuantizedRows::default();
    let quantized =
        quantized.by_scales(&vec![127.0; inputs], inputs, &[RowScale { multiplier: 1.0, scale: 1.0 }]);
    matmul_int8(quantized, &packed, None, Activation::None, &mut output);
    assert_eq!(output[0].to_bits(), (-128.0 * 254.0 * 65536.0f32).to_bits());
}

#[expect(clippy::cast_possible_truncation)]
fn integers(seed: u64, count: usize) -> Vec<i8> {
    numbers(seed, count).into_iter().map(|x| (x * 128.0) as i8).collect()
}

#[expect(clippy::cast_precision_loss)]
fn exact(number: usize) -> f32 {
    number as f32
}

#[test]
fn equals_its_reference_when_threads_share_the_work() {
    let (actual, reference, _) = product(130, 515, 1001, 7);
    assert_eq!(actual, reference);
}

#[test]
fn extreme_magnitudes_keep_their_scale() {
    for scale in [1e-30, 1e-10, 1e10, 1e18] {
        let weight = numbers(3, 33 * 9);
        let input: Vec<f32> = numbers(4, 9).into_iter().map(|x| x * scale).collect();
        let mut output = vec![0.0; 33];
        multiply(&input, &pack(&weight, 33, 9), None, Activation::None, &mut output);
        let exact = matmul_reference(&input, &weight, 9, None);
        for (actual, exact) in output.iter().zip(&exact) {
            assert!(relative_error(*actual, *exact, scale) < 0.05, "{actual} {exact} at {scale}");
        }
    }
}

#[test]
fn rows_of_zeros_and_rows_that_hold_no_number_stay_to_themselves() {
    let packed = pack(&numbers(1, 40 * 8), 40, 8);
    let mut input = numbers(2, 4 * 8);
    let mut clean = vec![0.0; 4 * 40];
    multiply(&input, &packed, None, Activation::Relu, &mut clean);
    input[8] = f32::NAN;
    input[16] = f32::INFINITY;
    input[24..].fill(0.0);
    let mut output = vec![0.0; 4 * 40];
    multiply(&input, &packed, None, Activation::Relu, &mut output);
    assert_eq!(output[..40], clean[..40]);
    assert!(output[40..120].iter().all(|x| x.is_nan()));
    assert!(output[120..].iter().all(|&x| x == 0.0));
}
