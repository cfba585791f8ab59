// The explorer of broadcasting: two shapes, aligned at the right.
import { rect, svg, text } from "./draw.js";
import { align, broadcast, parseShape, ShapeError, tuple } from "./shapes.js";
import { connect } from "./ui.js";

export const start = { a: "64, 1", b: "64" };
const AXES = 6; // as many as a phone shows
const [BOX, GAP, LEFT] = [42, 6, 56];

// The two shapes, or what is wrong with one of them.
function read(values) {
  try {
    const [a, b] = [parseShape(values.a), parseShape(values.b)];
    if (Math.max(a.length, b.length) > AXES) {
      return { problem: `Write at most ${AXES} axes, which is what fits here.` };
    }
    return { a, b, axes: align(a, b) };
  } catch (error) {
    if (!(error instanceof ShapeError)) throw error;
    return { problem: error.message };
  }
}

function row(top, name, boxes) {
  const cells = boxes.map(({ words, look }, i) => {
    const x = LEFT + i * (BOX + GAP);
    return (
      rect(x, top, BOX, 30, `box ${look}`) + text(x + BOX / 2, top + 20, words, "middle")
    );
  });
  return text(LEFT - 10, top + 20, name, "end muted") + cells.join("");
}

// An axis that is missing is dashed, a 1 that is stretched blue, a conflict orange.
function operand(axes, name) {
  return axes.map((axis) => {
    const stretched = (axis[name] ?? 1) === 1 && axis.size !== 1;
    const look = `${axis[name] === null ? "dashed" : ""} ${stretched ? "chosen" : ""}`;
    return { words: axis[name] ?? 1, look: axis.fits ? look : "conflict" };
  });
}

function figure(values) {
  const { problem, a, b, axes } = read(values);
  if (problem) return "";
  const width = LEFT + Math.max(axes.length, 1) * (BOX + GAP);
  const fits = axes.every((axis) => axis.fits);
  const result = axes.map((axis) =>
    axis.fits ? { words: axis.size, look: "" } : { words: "×", look: "conflict" },
  );
  const alt = `${tuple(a)} above ${tuple(b)}, aligned at the right, and the result.`;
  const line = `<path class="line" d="M${LEFT} 79H${width - GAP}"/>`;
  return svg(
    { width, height: 122, alt },
    row(4, "a", operand(axes, "a")) +
      row(40, "b", operand(axes, "b")) +
      line +
      row(88, fits ? "a − b" : "raises", result),
  );
}

function says(values) {
  const { problem, a, b } = read(values);
  if (problem) return `<strong>${problem}</strong>`;
  try {
    return `${tuple(a)} and ${tuple(b)} give <b>${tuple(broadcast(a, b))}</b>.`;
  } catch (error) {
    return `<strong>RuntimeError:</strong> ${error.message}`;
  }
}

export const explorer = { figure, says };
connect("broadcasting", explorer);
