// Gradient descent with momentum on four surfaces. Compared with torch.optim.SGD and
// autograd in tests/explore/test_formulas.py.

// value and slope of f(x, y); the lowest value; the part of the plane that is drawn;
// the heights of the contours
const around = { left: -2, right: 2, bottom: -1.5, top: 1.5 };
export const SURFACES = {
  bowl: {
    value: (x, y) => (x * x + y * y) / 2,
    gradient: (x, y) => [x, y],
    lowest: 0,
    box: around,
    levels: [0.02, 0.1, 0.3, 0.6, 1, 1.5, 2, 2.6],
  },
  ravine: {
    value: (x, y) => (x * x + 20 * y * y) / 2,
    gradient: (x, y) => [x, 20 * y],
    lowest: 0,
    box: around,
    levels: [0.1, 0.5, 1.5, 3, 6, 10, 15, 20],
  },
  rosenbrock: {
    value: (x, y) => (1 - x) ** 2 + 100 * (y - x * x) ** 2,
    gradient: (x, y) => [2 * (x - 1) - 400 * x * (y - x * x), 200 * (y - x * x)],
    lowest: 0,
    box: { left: -2, right: 2, bottom: -0.75, top: 2.25 },
    levels: [0.3, 1, 4, 15, 50, 150, 400, 900],
  },
  saddle: {
    value: (x, y) => (x * x) / 2 - (y * y) / 2 + y ** 4 / 4,
    gradient: (x, y) => [x, y ** 3 - y],
    lowest: -0.25,
    box: around,
    levels: [-0.22, -0.15, -0.08, 0, 0.1, 0.3, 0.7, 1.4],
  },
};

export const value = (surface, x, y) => SURFACES[surface].value(x, y);
export const gradient = (surface, x, y) => SURFACES[surface].gradient(x, y);

// The points of a descent, the start among them: steps + 1 of them.
export function descend(surface, start, { rate, momentum, steps }) {
  let [point, velocity] = [start, [0, 0]];
  const path = [point];
  for (let step = 0; step < steps; step++) {
    const slope = gradient(surface, ...point);
    velocity = velocity.map((v, i) => momentum * v + slope[i]);
    point = point.map((p, i) => p - rate * velocity[i]);
    path.push(point);
  }
  return path;
}
