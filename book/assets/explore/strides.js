// The explorer of strides: a view of x, and where its elements lie in x's storage.
import { rect, svg, text } from "./draw.js";
import * as shapes from "./shapes.js";
import { connect } from "./ui.js";

const { address, count, tuple } = shapes;
export const start = { shape: "3, 4", view: "x[1:, ::2]", element: "2" };
const MOST = 36; // numbers that fit
const [CELL, WIDTH] = [27, 12 * 27 + 8];

// The view, or what is wrong with what was typed.
function read(values) {
  try {
    const shape = shapes.parseShape(values.shape);
    const view = shapes.view(shape, values.view);
    const sizes = [count(shape), count(view.shape)];
    if (Math.max(...sizes) > MOST)
      return {
        problem: `Choose shapes with at most ${MOST} numbers, which is what fits here.`,
      };
    if (sizes.includes(0))
      return { problem: "There is nothing to draw: an axis has the length 0." };
    const k = Math.min(Number(values.element), sizes[1] - 1);
    return { view, size: sizes[0], k, index: shapes.unravel(k, view.shape) };
  } catch (error) {
    if (!(error instanceof shapes.ShapeError)) throw error;
    return { problem: error.message };
  }
}

function cell(column, row, words, look, top = 0) {
  const [x, y] = [4 + column * CELL, top + row * CELL];
  return (
    rect(x + 1, y + 1, CELL - 2, CELL - 2, `box ${look}`) +
    text(x + CELL / 2, y + CELL / 2 + 5, words, "middle")
  );
}

// Every element of the view, as it lies: its place in the storage.
const places = (view) =>
  Array.from({ length: count(view.shape) }, (_, k) =>
    address(view, shapes.unravel(k, view.shape)),
  );

// Where the k-th element is drawn: the last axis to the right, the others downwards,
// a gap after each block.
function layout({ shape }, k) {
  const [across, down] = [shape.at(-1) ?? 1, shape.at(-2) ?? 1];
  const row = Math.floor(k / across);
  return { column: k % across, row: row + 0.4 * Math.floor(row / down) };
}

// Above, the storage; from this height on, the view.
const viewTop = (size) => 22 + CELL * Math.ceil(size / 12) + 34;

function figure(values) {
  const { problem, view, size, k } = read(values);
  if (problem) return "";
  const [found, top] = [places(view), viewTop(size)];
  const storage = Array.from({ length: size }, (_, i) => {
    const look = i === found[k] ? "mark" : found.includes(i) ? "chosen" : "pale";
    return cell(i % 12, Math.floor(i / 12), i, look, 22);
  });
  const elements = found.map((place, i) => {
    const { column, row } = layout(view, i);
    const look = i === k ? "mark" : place === found[k] ? "same" : "chosen";
    return cell(column, row, place, look, top);
  });
  const last = layout(view, found.length - 1).row;
  const width = Math.max(WIDTH, 8 + CELL * (view.shape.at(-1) ?? 1));
  const alt = "The storage of x, what the view reads marked; below it the view.";
  return svg(
    { width, height: Math.ceil(top + CELL * (last + 1) + 4), alt, map: "view" },
    text(4, 14, "the storage of x, which holds 0, 1, 2, …", "muted") +
      storage.join("") +
      text(4, top - 8, `${values.view}, shape ${tuple(view.shape)}`, "muted") +
      elements.join(""),
  );
}

function says(values) {
  const { problem, view, k, index } = read(values);
  if (problem) return `<strong>${problem}</strong>`;
  const { stride, offset } = view;
  const sum = [offset, ...index.map((i, axis) => `${i}·${stride[axis]}`)].join(" + ");
  return (
    `Stride <b>${tuple(stride)}</b>, offset <b>${offset}</b>, ` +
    `${shapes.isContiguous(view) ? "" : "not "}contiguous. ` +
    `Element ${tuple(index)} lies at ${sum} = <b>${address(view, index)}</b>.`
  );
}

// The slider ends where the view does.
function settle(values) {
  const { problem, view, k } = read(values);
  return problem ? {} : { element: { value: String(k), max: count(view.shape) - 1 } };
}

function readings(values) {
  const { problem, index } = read(values);
  return { element: problem ? "" : tuple(index) };
}

// The element of the view that was pointed at.
function point(map, x, y, values) {
  const { problem, view, size } = read(values);
  if (problem) return null;
  const top = viewTop(size);
  const hit = places(view).findIndex((_, i) => {
    const { column, row } = layout(view, i);
    return (
      Math.floor((x - 4) / CELL) === column && Math.floor((y - top) / CELL - row) === 0
    );
  });
  return hit < 0 || String(hit) === values.element ? null : { element: String(hit) };
}

export const explorer = { figure, says, settle, readings, point };
connect("strides", explorer);
