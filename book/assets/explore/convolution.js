// The explorer of convolutions: a kernel moves over a picture.
import { convolve, outputSize, pixel, taps } from "./conv.js";
import { number, raster, rect, svg } from "./draw.js";
import { picture } from "./picture.js";
import { connect } from "./ui.js";

const KERNELS = {
  edges: [-1, -1, -1, -1, 8, -1, -1, -1, -1],
  vertical: [-1, 0, 1, -2, 0, 2, -1, 0, 1],
  blur: Array(9).fill("1/9"),
  sharpen: [0, -1, 0, -1, 5, -1, 0, -1, 0],
};
const image = picture.map((row) => row.map((grey) => Math.round(grey / 2.55) / 100)); // as it is shown
const size = image.length;

export const start = {
  kernel: "vertical",
  stride: "1",
  padding: "0",
  dilation: "1",
  row: "10",
  column: "15",
  ...weightsOf("vertical"),
};

function weightsOf(name) {
  return Object.fromEntries(KERNELS[name].map((w, i) => [`w${i}`, String(w)]));
}

// "1/9", "-2" or "0.5"; null where it is no number
function weight(text) {
  const [, top, bottom] = /^\s*(-?\d*\.?\d+)(?:\s*\/\s*(\d*\.?\d+))?\s*$/.exec(text) ?? [];
  const value = top === undefined ? NaN : Number(top) / Number(bottom ?? 1);
  return Number.isFinite(value) ? value : null;
}

function read(values) {
  const weights = Array.from({ length: 9 }, (_, i) => weight(values[`w${i}`]));
  const options = {
    stride: Number(values.stride),
    padding: Number(values.padding),
    dilation: Number(values.dilation),
  };
  const length = outputSize(size, 3, options);
  return {
    bad: weights.includes(null),
    kernel: [0, 3, 6].map((i) => weights.slice(i, i + 3).map((w) => w ?? 0)),
    options,
    length,
    row: Number(values.row),
    column: Number(values.column),
  };
}

// A named kernel fills in its weights; a weight that is typed makes it one's own. The
// sliders end where the output does.
function settle(values, changed) {
  const known = changed === "kernel" && KERNELS[values.kernel];
  const fill = known ? weightsOf(values.kernel) : {};
  const own = /^w\d$/.test(changed) ? { kernel: "own" } : {};
  const max = read(values).length - 1;
  const within = (name) => ({ max, value: String(Math.min(Number(values[name]), max)) });
  return { ...fill, ...own, row: within("row"), column: within("column") };
}

function figure(values) {
  const { kernel, options, length, row, column } = read(values);
  const { padding } = options;
  const output = convolve(image, kernel, options);
  const range = [Math.min(...output.flat()), Math.max(...output.flat())];
  const around = size + 2 * padding;
  const window = taps(row, column, kernel, options)
    .map((tap) =>
      rect(tap.column + padding + 0.1, tap.row + padding + 0.1, 0.8, 0.8, "mark"),
    )
    .join("");
  const input = svg(
    { width: around, height: around, alt: "A cat, with marks on what the kernel covers." },
    rect(0, 0, around, around, "zeros") + raster(image, [0, 1], padding, padding) + window,
  );
  const result = svg(
    { width: length, height: length, alt: "The output, one pixel marked.", map: "output" },
    raster(output, range) + rect(column, row, 1, 1, "mark"),
  );
  const [black, white] = range.map(number);
  return (
    captioned(
      input,
      `input, ${size} × ${size}${padding ? `, and ${padding} of padding` : ""}`,
    ) + captioned(result, `output, ${length} × ${length}: black ${black}, white ${white}`)
  );
}

const captioned = (drawing, caption) =>
  `<figure>${drawing}<figcaption>${caption}</figcaption></figure>`;

function says(values) {
  const { bad, kernel, options, length, row, column } = read(values);
  const { stride, padding, dilation } = options;
  const found = taps(row, column, kernel, options).map((tap) => [
    tap.weight,
    pixel(image, tap.row, tap.column),
  ]);
  const sum = found.reduce((total, [w, x]) => total + w * x, 0);
  const terms = found.map(
    ([w, x]) => `${w < 0 ? "−" : "+"} ${number(Math.abs(w))}·${number(x)}`,
  );
  return (
    (bad
      ? "<strong>Write each weight as a number, such as −1, 0.5 or 1/9.</strong> "
      : "") +
    `Output size ⌊(${size} + 2·${padding} − ${dilation}·(3 − 1) − 1) / ${stride}⌋ + 1 = <b>${length}</b>. ` +
    `Output (${row}, ${column}) = ${terms.join(" ").replace(/^\+ /, "").replace(/^− /, "−")} = <b>${number(Number(sum.toFixed(3)))}</b>.`
  );
}

// The pixel of the output that was pointed at.
function point(map, x, y, values) {
  const last = read(values).length - 1;
  const [row, column] = [y, x].map((place) =>
    String(Math.min(Math.max(Math.floor(place), 0), last)),
  );
  return row === values.row && column === values.column ? null : { row, column };
}

function readings({ stride, padding, dilation, row, column }) {
  return { stride, padding, dilation, row, column };
}

export const explorer = { figure, says, settle, readings, point };
connect("convolution", explorer);
