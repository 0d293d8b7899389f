//! An output matrix that threads fill side by side.

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
    /// The matrix `[rows, stride]` in `output`.
    ///
    /// # Panics
    /// When `output` has another size.
    pub(super) fn new(output: &mut [f32], rows: usize, stride: usize) -> Self {
        assert_eq!(output.len(), rows * stride, "the output's shape");
        Self { data: output.as_mut_ptr(), rows, stride }
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
