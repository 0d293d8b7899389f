//! The product of one panel of weights with the rows of an input, for each instruction set.

use super::rows::{QuantizedRows, Tile};
use super::{Activation, DEPTH, Group, WIDTH};

/// Rows that a tile can have: with two registers of sums for each, and the weights, they fit in 32 registers.
pub(super) const TALLEST: usize = 12;

/// The weights of `WIDTH` output features.
pub(super) struct Panel<'a> {
    pub(super) groups: &'a [Group],
    pub(super) scales: &'a [f32; WIDTH],
    pub(super) surplus: &'a [i32; WIDTH],
}

/// Multiplies all rows with a panel, and hands each row's number and results to `write`.
pub(super) fn product(
    panel: &Panel<'_>,
    input: &QuantizedRows,
    bias: &[f32; WIDTH],
    activation: Activation,
    write: impl FnMut(usize, &[f32; WIDTH]),
) {
    let product = Product { panel, input, bias, activation };
    #[cfg(target_arch = "x86_64")]
    {
        if x86::has_vnni() {
            // SAFETY: the CPU was asked.
            #[expect(unsafe_code, reason = "instructions that not every CPU has")]
            return unsafe { x86::product_vnni(&product, write) };
        }
        if x86::has_avx2() {
            // SAFETY: the CPU was asked.
            #[expect(unsafe_code, reason = "instructions that not every CPU has")]
            return unsafe { x86::product_avx2(&product, write) };
        }
    }
    product.run(Portable, write);
}

/// How an instruction set multiplies.
trait Kernel: Copy {
    /// For each of a tile's rows and a panel's outputs, the sum of products.
    ///
    /// # Safety
    /// The CPU must have the kernel's instructions.
    #[expect(unsafe_code, reason = "instructions that not every CPU has")]
    unsafe fn sums<const HEIGHT: usize>(
        self,
        rows: &[[[u8; DEPTH]; HEIGHT]],
        groups: &[Group],
    ) -> [[i32; WIDTH]; HEIGHT];
}

struct Product<'a> {
    panel: &'a Panel<'a>,
    input: &'a QuantizedRows,
    bias: &'a [f32; WIDTH],
    activation: Activation,
}

impl Product<'_> {
    #[inline(always)]
    fn run(&self, kernel: impl Kernel, mut write: impl FnMut(usize, &[f32; WIDTH])) {
        for tile in self.input.tiles() {
            match tile.scales.len() {
                1 => self.tile::<1>(kernel, &tile, &mut write),
                2 => self.tile::<2>(kernel, &tile, &mut write),
                3 => self.tile::<3>(kernel, &tile, &mut write),
                4 => self.tile::<4>(kernel, &tile, &mut write),
                5 => self.tile::<5>(kernel, &tile, &mut write),
                6 => self.tile::<6>(kernel, &tile, &mut write),
                7 => self.tile::<7>(kernel, &tile, &mut write),
                8 => self.tile::<8>(kernel, &tile, &mut write),
                9 => self.tile::<9>(kernel, &tile, &mut write),
                10 => self.tile::<10>(kernel, &tile, &mut write),
                11 => self.tile::<11>(kernel, &tile, &mut write),
                12 => self.tile::<12>(kernel, &tile, &mut write),
                height => unreachable!("a tile of {height} rows"),
            }
        }
    }

    #[inline(always)]
    fn tile<const HEIGHT: usize>(
        &self,
        kernel: impl Kernel,
        tile: &Tile<'_>,
        write: &mut impl FnMut(usize, &[f32; WIDTH]),
    ) {
        let (rows, _) = tile.data.as_chunks::<HEIGHT>();
        // SAFETY: `product` asked the CPU before it chose the kernel.
        #[expect(unsafe_code, reason = "instructions that not every CPU has")]
        let sums = unsafe { kernel.sums(rows, self.panel.groups) };
        for (row, (sums, &scale)) in sums.iter().zip(tile.scales).enumerate() {
            let mut values = [0.0; WIDTH];
            for lane in 0..WIDTH {
                #[expect(clippy::cast_precision_loss, reason = "that is what the product rounds")]
                let sum = (sums[lane] - self.panel.surplus[lane]) as f32;
                values[lane] = sum * (self.panel.scales[lane] * scale) + self.bias[lane];
            }
            self.activation.apply(&mut values);
            write(tile.first + row, &values);
        }
    }
}

#[derive(Clone, Copy)]
struct Portable;

impl Kernel for Portable {
    #[expect(unsafe_code, reason = "the trait's")]
    #[inline(always)]
    unsafe fn sums<const HEIGHT: usize>(
        self,
        rows: &[[[u8; DEPTH]; HEIGHT]],
        groups: &[Group],
    ) -> [[i32; WIDTH]; HEIGHT] {
        let mut sums = [[0; WIDTH]; HEIGHT];
        for (rows, group) in rows.iter().zip(groups) {
            for (sums, row) in sums.iter_mut().zip(rows) {
                for (sum, weights) in sums.iter_mut().zip(&group.0) {
                    for (&x, &w) in row.iter().zip(weights) {
                        *sum += i32::from(x) * i32::from(w);
                    }
                }
            }
        }
        sums
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::{
        __m256i, __m512i, _mm256_add_epi32, _mm256_cvtepi8_epi16, _mm256_madd_epi16, _mm256_set1_epi64x,
        _mm256_setzero_si256, _mm512_add_epi32, _mm512_dpbusd_epi32, _mm512_set1_epi32, _mm512_setzero_si512,
    };

    use pulp::bytemuck::{cast, cast_ref};

    use super::{DEPTH, Group, Kernel, Product, WIDTH};

    pub(super) fn has_vnni() -> bool {
        is_x86_feature_detected!("avx512vnni")
            && is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("avx512dq")
            && is_x86_feature_detected!("avx512vl")
    }

    pub(super) fn has_avx2() -> bool {
        is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma")
    }

    /// # Safety
    /// The CPU must have AVX-512 with VNNI.
    #[expect(unsafe_code, reason = "instructions that not every CPU has")]
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma")]
    pub(super) unsafe fn product_vnni(product: &Product<'_>, write: impl FnMut(usize, &[f32; WIDTH])) {
        product.run(Vnni, write);
    }

    /// # Safety
    /// The CPU must have AVX2.
    #[expect(unsafe_code, reason = "instructions that not every CPU has")]
    #[target_feature(enable = "avx2,fma")]
    pub(super) unsafe fn product_avx2(product: &Product<'_>, write: impl FnMut(usize, &[f32; WIDTH])) {
        product.run(Avx2, write);
    }

    #[derive(Clone, Copy)]
    pub(super) struct Vnni;

    impl Kernel for Vnni {
        #[expect(unsafe_code, reason = "instructions that not every CPU has")]
        #[inline]
        #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma")]
        unsafe fn sums<const HEIGHT: usize>(
            self,
            rows: &[[[u8; DEPTH]; HEIGHT]],
            groups: &[Group],
        ) -> [[i32; WIDTH]; HEIGHT] {
            // A tile of few rows has too few sums to keep the multiplier busy: it takes two groups at a time.
            let mut sums = [[_mm512_setzero_si512(); 2]; HEIGHT];
            let mut others = sums;
            let add = |sums: &mut [[__m512i; 2]; HEIGHT], rows: &[[u8; DEPTH]; HEIGHT], group: &Group| {
                let weights: &[__m512i; 2] = cast_ref(&group.0);
                for (sums, &row) in sums.iter_mut().zip(rows) {
                    let row = _mm512_set1_epi32(i32::from_le_bytes(row));
                    for (sum, &weights) in sums.iter_mut().zip(weights) {
                        *sum = _mm512_dpbusd_epi32(*sum, row, weights);
                    }
                }
            };
            if HEIGHT <= 3 {
                let (row_pairs, row_rest) = rows.as_chunks::<2>();
                let (group_pairs, group_rest) = groups.as_chunks::<2>();
                for (rows, groups) in row_pairs.iter().zip(group_pairs) {
                    add(&mut sums, &rows[0], &groups[0]);
                    add(&mut others, &rows[1], &groups[1]);
                }
                for (rows, group) in row_rest.iter().zip(group_rest) {
                    add(&mut sums, rows, group);
                }
                for (sums, others) in sums.iter_mut().zip(others) {
                    for (sum, other) in sums.iter_mut().zip(others) {
                        *sum = _mm512_add_epi32(*sum, other);
                    }
                }
            } else {
                for (rows, group) in rows.iter().zip(groups) {
                    add(&mut sums, rows, group);
                }
            }
            sums.map(cast)
        }
    }

    #[derive(Clone, Copy)]
    pub(super) struct Avx2;

    impl Kernel for Avx2 {
        /// Widens to 16 bits first: AVX2's own product of 8-bit integers saturates.
        #[expect(unsafe_code, reason = "instructions that not every CPU has")]
        #[inline]
        #[target_feature(enable = "avx2,fma")]
        unsafe fn sums<const HEIGHT: usize>(
            self,
            rows: &[[[u8; DEPTH]; HEIGHT]],
            groups: &[Group],
        ) -> [[i32; WIDTH]; HEIGHT] {
            let mut results = [[0; WIDTH]; HEIGHT];
            // Each register has four outputs, and each of them two sums.
            for part in 0..WIDTH / 16 {
                for (row, results) in results.iter_mut().enumerate() {
                    let mut sums = [_mm256_setzero_si256(); 4];
                    for (rows, group) in rows.iter().zip(groups) {
                        let x = rows[row].map(u16::from);
                        let x = _mm256_set1_epi64x(cast(x));
                        let weights: &[[i8; 16]; WIDTH / 4] = cast_ref(&group.0);
                        for (sum, &weights) in sums.iter_mut().zip(&weights[part * 4..]) {
                            let products = _mm256_madd_epi16(_mm256_cvtepi8_epi16(cast(weights)), x);
                            *sum = _mm256_add_epi32(*sum, products);
                        }
                    }
                    let pairs: [[i32; 2]; 16] = cast::<[__m256i; 4], _>(sums);
                    for (result, [even, odd]) in results[part * 16..].iter_mut().zip(pairs) {
                        *result = even + odd;
                    }
                }
            }
            results
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::testing::numbers;
    use super::*;

    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    fn agree<const HEIGHT: usize>(depth: usize) {
        let mut numbers = numbers(depth as u64, depth * (HEIGHT + WIDTH) * DEPTH).into_iter();
        let mut rows = vec![[[0u8; DEPTH]; HEIGHT]; depth];
        for x in rows.as_flattened_mut().as_flattened_mut() {
            *x = (numbers.next().unwrap() * 127.5 + 128.0) as u8;
        }
        let mut groups = vec![Group([[0; DEPTH]; WIDTH]); depth];
        for x in groups.iter_mut().flat_map(|group| group.0.as_flattened_mut()) {
            *x = (numbers.next().unwrap() * 127.9) as i8;
        }
        let mut expected = [[0; WIDTH]; HEIGHT];
        for (row, sums) in expected.iter_mut().enumerate() {
            for (lane, sum) in sums.iter_mut().enumerate() {
                let products = rows.iter().zip(&groups).flat_map(|(rows, group)| {
                    rows[row].into_iter().zip(group.0[lane]).map(|(x, w)| i32::from(x) * i32::from(w))
                });
                *sum = products.sum();
            }
        }
        #[expect(unsafe_code, reason = "each kernel is only called where the CPU has its instructions")]
        // SAFETY: the CPU was asked.
        unsafe {
            assert_eq!(Portable.sums(&rows, &groups), expected);
            #[cfg(target_arch = "x86_64")]
            if x86::has_avx2() {
                assert_eq!(x86::Avx2.sums(&rows, &groups), expected);
            }
            #[cfg(target_arch = "x86_64")]
            if x86::has_vnni() {
                assert_eq!(x86::Vnni.sums(&rows, &groups), expected);
            }
        }
    }

    #[test]
    fn every_kernel_that_this_cpu_has_computes_the_same_sums() {
        for depth in [0, 1, 2, 3, 17, 512] {
            agree::<1>(depth);
            agree::<2>(depth);
            agree::<3>(depth);
            agree::<5>(depth);
            agree::<12>(depth);
        }
    }
}
