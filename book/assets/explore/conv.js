// What a convolution computes. Compared with torch in tests/explore/test_formulas.py.

// The length of an output axis; the formula that torch.nn.Conv2d documents.
export function outputSize(size, kernel, { stride, padding, dilation }) {
  const reach = dilation * (kernel - 1) + 1;
  return Math.floor((size + 2 * padding - reach) / stride) + 1;
}

// What one output pixel looks at: each weight with the place it falls on. A place
// outside of the image is padding.
export function taps(row, column, kernel, { stride, padding, dilation }) {
  return kernel.flatMap((weights, i) =>
    weights.map((weight, j) => ({
      row: row * stride - padding + i * dilation,
      column: column * stride - padding + j * dilation,
      weight,
    })),
  );
}

export function pixel(image, row, column) {
  return image[row]?.[column] ?? 0;
}

// image (H, W), kernel (h, w) -> (outputSize(H, h), outputSize(W, w))
export function convolve(image, kernel, options) {
  const rows = outputSize(image.length, kernel.length, options);
  const columns = outputSize(image[0].length, kernel[0].length, options);
  if (rows < 1 || columns < 1) {
    throw new RangeError("The kernel is larger than the padded image.");
  }
  return Array.from({ length: rows }, (_, i) =>
    Array.from({ length: columns }, (_, j) =>
      taps(i, j, kernel, options).reduce(
        (sum, tap) => sum + tap.weight * pixel(image, tap.row, tap.column),
        0,
      ),
    ),
  );
}
