use proptest::prelude::*;

use super::super::matmul_reference;
use super::super::testing::{numbers, relative_error};
use super::*;

fn pack(weight: &[f32], outputs: usize, inputs: usize) -> QuantizedMatrix {
    QuantizedMatrix::quantize(outputs, inputs, |row, values| {
        values.copy_from_slice(&weight[row * inputs..(row + 1) * inputs]);
    })
}

fn product(rows: usize, inputs: usize, outputs: usize, seed: u64) -> (Vec<f32>, Vec<f32>, Vec<f32>) {
    let (input, weight) = (numbers(seed, rows * inputs), numbers(seed + 1, outputs * inputs));
    let bias = numbers(seed + 2, outputs);
    let packed = pack(&weight, outputs, inputs);
    let mut output = vec![f32::NAN; rows * outputs];
    matmul_int8(&input, &packed, Some(&bias), Activation::None, &mut output);
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
        matmul_int8(&input, &pack(&weight, 33, 9), None, Activation::None, &mut output);
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
    matmul_int8(&input, &packed, None, Activation::Relu, &mut clean);
    input[8] = f32::NAN;
    input[16] = f32::INFINITY;
    input[24..].fill(0.0);
    let mut output = vec![0.0; 4 * 40];
    matmul_int8(&input, &packed, None, Activation::Relu, &mut output);
    assert_eq!(output[..40], clean[..40]);
    assert!(output[40..120].iter().all(|x| x.is_nan()));
    assert!(output[120..].iter().all(|&x| x == 0.0));
}
