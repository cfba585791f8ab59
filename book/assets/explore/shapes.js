// Shapes, strides and offsets. Errors say what torch says, word for word; compared
// with torch in tests/explore/test_formulas.py.

export class ShapeError extends Error {}

const WRITE_SHAPE = "Write a shape as whole numbers with commas between, such as 64, 1.";
const WRITE_VIEW =
  "Write x followed by .T, .transpose(0, 1), .unsqueeze(0), .expand(4, 3) or an " +
  "index such as [1:, ::2].";

export const tuple = (list) => `(${list.join(", ")}${list.length === 1 ? "," : ""})`;
export const count = (shape) => shape.reduce((product, n) => product * n, 1);

// "64, 1" or "(64, 1)" -> [64, 1]; nothing is the shape of a single number
export function parseShape(text) {
  const inner = text
    .trim()
    .replace(/^\((.*)\)$/, "$1")
    .replace(/,\s*$/, "")
    .trim();
  if (inner === "") return [];
  return inner.split(",").map((part) => {
    if (!/^\d{1,6}$/.test(part.trim())) throw new ShapeError(WRITE_SHAPE);
    return Number(part);
  });
}

// The two shapes one below the other, aligned at the right, from the first axis on.
// a and b are null where a shape has no such axis; fits is false at a conflict.
export function align(a, b) {
  const length = Math.max(a.length, b.length);
  return Array.from({ length }, (_, i) => {
    const pair = [a, b].map((shape) => shape[i - length + shape.length] ?? null);
    const [x, y] = pair.map((n) => n ?? 1);
    return {
      a: pair[0],
      b: pair[1],
      fits: x === y || x === 1 || y === 1,
      size: x === 1 ? y : x,
    };
  });
}

export function broadcast(a, b) {
  const axes = align(a, b);
  const bad = axes.findLastIndex((axis) => !axis.fits); // torch goes from the right
  if (bad >= 0) {
    throw new ShapeError(
      `The size of tensor a (${axes[bad].a}) must match the size of tensor b ` +
        `(${axes[bad].b}) at non-singleton dimension ${bad}`,
    );
  }
  return axes.map((axis) => axis.size);
}

// A fresh tensor: rows one after another.
export function contiguous(shape) {
  const stride = shape.map((_, i) => count(shape.slice(i + 1).map((n) => Math.max(n, 1))));
  return { shape, stride, offset: 0 };
}

export function isContiguous({ shape, stride }) {
  const rows = contiguous(shape).stride;
  return shape.includes(0) || shape.every((n, i) => n === 1 || stride[i] === rows[i]);
}

// Where in the storage an element lies.
export function address({ stride, offset }, index) {
  return index.reduce((sum, i, axis) => sum + i * stride[axis], offset);
}

// The k-th element, in the order in which it is printed -> its index
export function unravel(k, shape) {
  return contiguous(shape).stride.map((step, i) => Math.floor(k / step) % shape[i]);
}

function axisOf(text, axes) {
  const axis = Number(text);
  const length = Math.max(axes, 1); // torch's own lenience towards a single number
  if (axis < -length || axis >= length) {
    throw new ShapeError(
      `Dimension out of range (expected to be in range of [${-length}, ${length - 1}], ` +
        `but got ${axis})`,
    );
  }
  return axis < 0 ? axis + length : axis;
}

const swapped = (list, i, j) => list.map((item, k) => list[k === i ? j : k === j ? i : k]);

function transpose(x, i, j) {
  return { ...x, shape: swapped(x.shape, i, j), stride: swapped(x.stride, i, j) };
}

function unsqueeze(x, axis) {
  const stride = axis < x.shape.length ? x.shape[axis] * x.stride[axis] : 1;
  return {
    ...x,
    shape: x.shape.toSpliced(axis, 0, 1),
    stride: x.stride.toSpliced(axis, 0, stride),
  };
}

// A new axis in front has a stride, too, though nobody takes a step along it; ours is
// torch's.
function expand(x, sizes) {
  const missing = sizes.length - x.shape.length;
  if (missing < 0) {
    throw new ShapeError(
      `the number of sizes provided (${sizes.length}) must be greater or equal to the ` +
        `number of dimensions in the tensor (${x.shape.length})`,
    );
  }
  const [shape, stride] = [[...sizes], []];
  for (let i = sizes.length - 1; i >= 0; i--) {
    const old = x.shape[i - missing] ?? 1;
    if (sizes[i] === -1 && i >= missing) shape[i] = old;
    stride[i] = x.stride[i - missing] ?? (shape[i + 1] * stride[i + 1] || 0);
    if (shape[i] === old) continue;
    if (old !== 1 || shape[i] < 0)
      throw new ShapeError(cannotExpand(i, old, sizes, x.shape));
    stride[i] = 0;
  }
  return { ...x, shape, stride };
}

function cannotExpand(axis, old, sizes, shape) {
  return (
    `The expanded size of the tensor (${sizes[axis]}) must match the existing size ` +
    `(${old}) at non-singleton dimension ${axis}.  Target sizes: [${sizes.join(", ")}].  ` +
    `Tensor sizes: [${shape.join(", ")}]`
  );
}

const dropAxis = (x, axis) => ({
  ...x,
  shape: x.shape.toSpliced(axis, 1),
  stride: x.stride.toSpliced(axis, 1),
});

// called: what torch calls the axis, which is its place among the brackets
function select(x, axis, i, called) {
  const size = x.shape[axis];
  if (i < -size || i >= size) {
    throw new ShapeError(
      `index ${i} is out of bounds for dimension ${called} with size ${size}`,
    );
  }
  const start = i < 0 ? i + size : i;
  return dropAxis({ ...x, offset: x.offset + start * x.stride[axis] }, axis);
}

function slice(x, axis, [start, stop, step]) {
  const size = x.shape[axis];
  const place = (text, otherwise, least) => {
    const n = text === "" ? otherwise : Number(text);
    return Math.min(Math.max(n < 0 ? n + size : n, least), size);
  };
  const by = step === "" ? 1 : Number(step);
  if (by === 0) throw new ShapeError("slice step cannot be zero");
  if (by < 0) throw new ShapeError("step must be greater than zero");
  const from = place(start, 0, 0);
  const length = Math.ceil((place(stop, size, from) - from) / by);
  return {
    shape: x.shape.with(axis, length),
    stride: x.stride.with(axis, x.stride[axis] * by),
    offset: x.offset + from * x.stride[axis],
  };
}

// x[1:, None, 0]: each part takes up the next axis, or makes one
function index(x, parts) {
  const taken = parts.filter((part) => part !== "None").length;
  if (taken > x.shape.length) {
    throw new ShapeError(`too many indices for tensor of dimension ${x.shape.length}`);
  }
  let axis = 0;
  for (const [called, part] of parts.entries()) {
    if (part === "None") x = unsqueeze(x, axis++);
    else if (/^-?\d+$/.test(part)) x = select(x, axis, Number(part), called);
    else if (/^-?\d*:-?\d*(:-?\d*)?$/.test(part)) {
      x = slice(x, axis++, [...part.split(":"), ""].slice(0, 3));
    } else throw new ShapeError(WRITE_VIEW);
  }
  return x;
}

const METHODS = {
  transpose: (x, a, b) =>
    transpose(x, axisOf(a, x.shape.length), axisOf(b, x.shape.length)),
  unsqueeze: (x, a) => unsqueeze(x, axisOf(a, x.shape.length + 1)),
  expand: (x, ...sizes) => expand(x, sizes.map(Number)),
};
const ARGUMENTS = { transpose: 2, unsqueeze: 1 };
const STEP =
  /^(?:\.(?<T>T)(?!\w)|\.(?<name>\w+)\((?<given>[-\d,]+)\)|\[(?<parts>[^\]]+)\])/;

// view([3, 4], "x.T[1:]") -> the shape, stride and offset of what torch would return
export function view(shape, text) {
  let rest = text.replaceAll(/\s/g, "");
  if (!rest.startsWith("x")) throw new ShapeError(WRITE_VIEW);
  let x = contiguous(shape);
  for (rest = rest.slice(1); rest;) {
    const found = STEP.exec(rest);
    if (!found) throw new ShapeError(WRITE_VIEW);
    x = apply(x, found.groups);
    rest = rest.slice(found[0].length);
  }
  return x;
}

function apply(x, { T, name, given, parts }) {
  if (parts) return index(x, parts.split(","));
  if (T && x.shape.length === 2) return transpose(x, 0, 1);
  if (T) throw new ShapeError(".T is for two axes; write .transpose(0, 1) instead.");
  const values = given.replace(/,$/, "").split(",");
  const wanted = ARGUMENTS[name] ?? values.length;
  if (!Object.hasOwn(METHODS, name) || values.length !== wanted)
    throw new ShapeError(WRITE_VIEW);
  if (values.some((value) => !/^-?\d+$/.test(value))) throw new ShapeError(WRITE_VIEW);
  return METHODS[name](x, ...values);
}
