//! What all matrix products share: their shapes, and an output that threads fill side by side.

use rayon::prelude::*;

use super::super::threads::is_shared;

/// The shape of a product of an input `[rows, inputs]` with weights `[outputs, inputs]`.
#[derive(Clone, Copy)]
pub(super) struct Shape {
    pub(super) rows: usize,
    inputs: usize,
    outputs: usize,
}

impl Shape {
    /// The shape of a product with `input`.
    ///
    /// # Panics
    /// When the input or the bias has another size.
    pub(super) fn new(input: &[f32], inputs: usize, outputs: usize, bias: Option<&[f32]>) -> Self {
        let rows = input.len().checked_div(inputs).unwrap_or(0);
        assert_eq!(input.len(), rows * inputs, "the input's shape");
        Self::of_rows(rows, inputs, outputs, bias)
    }

    /// The shape of a product with so many rows.
    ///
    /// # Panics
    /// When the bias has another size.
    pub(super) fn of_rows(rows: usize, inputs: usize, outputs: usize, bias: Option<&[f32]>) -> Self {
        assert!(bias.is_none_or(|bias| bias.len() == outputs), "the bias' shape");
        Self { rows, inputs, outputs }
    }

    /// Whether there is nothing to compute.
    pub(super) fn is_empty(&self) -> bool {
        self.rows == 0 || self.outputs == 0
    }

    /// Runs `product` for the number of every panel of `width` output features; on several threads from
    /// `parallel_from` multiplications on, below which a second one costs more than it brings.
    pub(super) fn for_each_panel(
        &self,
        width: usize,
        parallel_from: usize,
        product: impl Fn(usize) + Sync + Send,
    ) {
        let panels = self.outputs.div_ceil(width);
        if is_shared(self.rows * self.inputs * self.outputs, parallel_from) {
            (0..panels).into_par_iter().with_min_len(4).for_each(product);
        } else {
            (0..panels).for_each(product);
        }
    }
}

/// A row-major matrix, shared by threads that each write columns or rows of their own.
pub(super) struct SharedRows {
    data: *mut f32,
    rows: usize,
    stride: usize,
}

// SAFETY: the pointer is only used by `SharedRows::write`, whose callers write disjoint ranges.
#[expect(unsafe_code, reason = "columns of a row-major matrix can't be split among threads as slices")]
unsafe impl Sync for SharedRows {}

impl SharedRows {
    /// The result of a product in `output`.
    ///
    /// # Panics
    /// When `output` has another size.
    pub(super) fn new(output: &mut [f32], shape: Shape) -> Self {
        assert_eq!(output.len(), shape.rows * shape.outputs, "the output's shape");
        Self { data: output.as_mut_ptr(), rows: shape.rows, stride: shape.outputs }
    }

    /// Writes `values` into a row, from a column on.
    ///
    /// # Safety
    /// No other thread may write or read the same range at the same time, and the matrix must still be borrowed.
    #[expect(unsafe_code, reason = "columns of a row-major matrix can't be split among threads as slices")]
    #[inline(always)]
    pub(super) unsafe fn write(&self, row: usize, column: usize, values: &[f32]) {
        assert!(row < self.rows && column + values.len() <= self.stride, "a write outside the output");
        // SAFETY: the range lies inside the matrix by the assertion, and is the caller's alone by its contract.
        unsafe {
            let target = self.data.add(row * self.stride + column);
            std::ptr::copy_nonoverlapping(values.as_ptr(), target, values.len());
        }
    }
}
