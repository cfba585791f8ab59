// The explorer of gradient descent: a path over the contours of a surface.
import { descend, SURFACES, value } from "./descent.js";
import { contour, number, round, svg, text } from "./draw.js";
import { connect } from "./ui.js";

export const start = {
  surface: "ravine",
  rate: "-1.05",
  momentum: "0",
  steps: "40",
  across: "10",
  up: "85",
};
const [WIDTH, HEIGHT, CHART] = [320, 240, 110];

function read(values) {
  const { box } = SURFACES[values.surface];
  const from = [
    box.left + ((box.right - box.left) * Number(values.across)) / 100,
    box.bottom + ((box.top - box.bottom) * Number(values.up)) / 100,
  ];
  const options = {
    rate: Number((10 ** Number(values.rate)).toPrecision(2)),
    momentum: Number(values.momentum),
    steps: Number(values.steps),
  };
  const path = descend(values.surface, from, options);
  return {
    box,
    from,
    options,
    path,
    heights: path.map((p) => value(values.surface, ...p)),
  };
}

const inside =
  (box) =>
  ([x, y]) =>
    x >= box.left && x <= box.right && y >= box.bottom && y <= box.top;

const placeIn =
  (box) =>
  ([x, y]) => [
    (WIDTH * (x - box.left)) / (box.right - box.left),
    (HEIGHT * (box.top - y)) / (box.top - box.bottom),
  ];

function figure(values) {
  const { box, path, heights, from } = read(values);
  const { levels } = SURFACES[values.surface];
  const place = placeIn(box);
  const lines = levels.map((level) =>
    contour((x, y) => value(values.surface, x, y), level, box, place),
  );
  // as far as the path can be drawn: the step that leaves the map is its last
  const out = path.findIndex((p) => !inside(box)(p));
  const seen = path.slice(0, out < 0 ? path.length : out + 1).map((p) => place(p).map(far));
  const dots = seen.map(([x, y]) => `<circle class="dot" cx="${x}" cy="${y}" r="2.5"/>`);
  const [x, y] = place(from).map(round);
  return (
    svg(
      { width: WIDTH, height: HEIGHT, alt: "The path over the contours.", map: "surface" },
      `<path class="contour" d="${lines.join("")}"/>` +
        `<polyline class="path" points="${seen.join(" ")}"/>${dots.join("")}` +
        `<circle class="start" cx="${x}" cy="${y}" r="6"/>`,
    ) + chart(heights, SURFACES[values.surface].lowest)
  );
}

// Coordinates that SVG can hold, so far out that the line leaves in its direction.
const far = (x) => round(Math.min(Math.max(Number.isNaN(x) ? 0 : x, -1e5), 1e5));

// How far each step is above the lowest value, on a logarithmic axis.
function chart(heights, lowest) {
  const [top, bottom] = [6, -8];
  const scale = (CHART - 30) / (top - bottom);
  const points = heights.map((height, step) => {
    const above = Number.isFinite(height) ? Math.log10(height - lowest + 1e-300) : top;
    const y = 8 + scale * (top - Math.min(Math.max(above, bottom), top));
    return [round(40 + ((WIDTH - 48) * step) / (heights.length - 1)), round(y)];
  });
  const ticks = [6, 0, -6].map((power) => {
    const y = round(8 + scale * (top - power));
    const label = power === 0 ? "1" : `1e${power}`.replace("-", "−");
    return (
      `<path class="line" d="M40 ${y}H${WIDTH - 8}"/>` + text(34, y + 4, label, "end muted")
    );
  });
  return svg(
    { width: WIDTH, height: CHART, alt: "The value at each step, on a logarithmic axis." },
    ticks.join("") +
      `<polyline class="path" points="${points.join(" ")}"/>` +
      text(40, CHART - 6, "f − its minimum, step by step", "muted"),
  );
}

function says(values) {
  const { box, path, heights, options } = read(values);
  const [first, last] = [heights[0], heights.at(-1)];
  const out = path.findIndex((p) => !inside(box)(p));
  const lost = !(Math.abs(last) < 1e3 * (1 + Math.abs(first)));
  const end = path.at(-1).map((x) => number(Number(x.toFixed(3))));
  const after = `After ${options.steps} steps f has gone from ${number(first)} to <b>${number(last)}</b>`;
  if (lost) return `${after}. <strong>It diverges</strong>: step ${out} leaves the map.`;
  return `${after}, at (${end.join(", ")}).`;
}

function readings(values) {
  const { from, options } = read(values);
  return {
    rate: number(options.rate),
    momentum: values.momentum,
    steps: values.steps,
    across: number(from[0]),
    up: number(from[1]),
  };
}

// The descent starts where one clicks.
function point(map, x, y, values, kind) {
  if (kind !== "click") return null;
  const percent = (share) => String(Math.min(Math.max(Math.round(100 * share), 0), 100));
  return { across: percent(x / WIDTH), up: percent(1 - y / HEIGHT) };
}

export const explorer = { figure, says, readings, point };
connect("surface", explorer);
