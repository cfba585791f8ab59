// Drawing as text: the same functions draw in the browser and, run by Node.js, the
// pictures that a page shows where scripts are off. Colours are classes of explore.css.

export const round = (x) => Number(x.toFixed(2));

export function number(x) {
  if (!Number.isFinite(x)) return "infinite";
  const size = Math.abs(x);
  const text =
    size !== 0 && (size < 1e-3 || size >= 1e5)
      ? x.toExponential(1)
      : String(Number(x.toPrecision(3)));
  return text.replace("-", "−").replace("e+", "e").replace("e-", "e−");
}

// map: the name of a picture that can be pointed at
export function svg({ width, height, alt, map }, content) {
  const name = map ? ` data-map="${map}"` : "";
  return (
    `<svg viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" ` +
    `role="img" aria-label="${alt}"${name}>${content}</svg>`
  );
}

export function rect(x, y, width, height, look) {
  return `<rect class="${look}" x="${x}" y="${y}" width="${width}" height="${height}"/>`;
}

export function text(x, y, words, look = "") {
  return `<text class="${look}" x="${x}" y="${y}">${words}</text>`;
}

// A grey picture: one path for each of 32 levels of grey, neighbours in one piece.
export function raster(image, [low, high], left = 0, top = 0) {
  const paths = new Map();
  const level = (x) => Math.round((31 * (x - low)) / (high - low || 1));
  image.forEach((row, i) => {
    for (let j = 0, end; j < row.length; j = end) {
      for (end = j + 1; end < row.length && level(row[end]) === level(row[j]);) end++;
      const run = `M${left + j} ${top + i}h${end - j}v1h${j - end}z`;
      paths.set(level(row[j]), (paths.get(level(row[j])) ?? "") + run);
    }
  });
  return [...paths]
    .map(([n, d]) => {
      const shade = Math.min(Math.max(Math.round((n * 255) / 31), 0), 255);
      return `<path shape-rendering="crispEdges" fill="rgb(${shade},${shade},${shade})" d="${d}"/>`;
    })
    .join("");
}

// The lines on which f has one value, as a path (marching squares).
export function contour(f, level, { left, right, bottom, top }, place, steps = 44) {
  const x = (i) => left + ((right - left) * i) / steps;
  const y = (j) => bottom + ((top - bottom) * j) / steps;
  let path = "";
  for (let i = 0; i < steps; i++) {
    for (let j = 0; j < steps; j++) {
      const corners = [
        [i, j],
        [i + 1, j],
        [i + 1, j + 1],
        [i, j + 1],
      ].map(([a, b]) => [x(a), y(b)]);
      const points = crossings(
        corners,
        corners.map((c) => f(...c) - level),
      ).map(place);
      for (let k = 0; k + 1 < points.length; k += 2) {
        path += `M${points[k].map(round)}L${points[k + 1].map(round)}`;
      }
    }
  }
  return path;
}

function crossings(corners, heights) {
  return corners.flatMap((corner, k) => {
    const [other, a, b] = [corners[(k + 1) % 4], heights[k], heights[(k + 1) % 4]];
    if (a < 0 === b < 0) return [];
    return [corner.map((c, axis) => c + ((other[axis] - c) * a) / (a - b))];
  });
}
