// What the explorers share: controls in, a picture and a sentence out. The picture
// and the sentence that the page brings along are those of the start.

// explorer: figure(values) and says(values) -> HTML; optionally
//   readings(values) -> what stands beside a slider, by its name
//   settle(values) -> values to be put into the controls first
//   point(map, x, y, values) -> values for a place that was pointed at
export function connect(name, explorer) {
  if (typeof document === "undefined") return; // Node.js draws without a page
  for (const root of document.querySelectorAll(`.explorer-box[data-name="${name}"]`)) {
    wire(root, explorer);
  }
}

function wire(root, explorer) {
  const form = root.querySelector("form");
  form.hidden = false;
  root.querySelector(".explorer-off").hidden = true;
  const show = (changed) => {
    put(form, explorer.settle?.(valuesOf(form), changed) ?? {});
    redraw(root, explorer, valuesOf(form));
  };
  form.addEventListener("input", (event) => show(event.target.name));
  form.addEventListener("click", (event) => {
    if (!event.target.dataset.set) return;
    put(form, JSON.parse(event.target.dataset.set));
    show(event.target.name);
  });
  form.addEventListener("submit", (event) => event.preventDefault());
  if (explorer.point) follow(root, form, explorer, show);
  show();
}

export function valuesOf(form) {
  return Object.fromEntries(new FormData(form));
}

// A value is a string; one that comes with a new end of its slider, {value, max}.
function put(form, values) {
  for (const [name, given] of Object.entries(values)) {
    const { value, max } = typeof given === "object" ? given : { value: given };
    const control = form.elements[name];
    if (max !== undefined) control.max = max;
    if (control.value !== value) control.value = value;
  }
}

function redraw(root, explorer, values) {
  const change = (selector, html) => {
    const place = root.querySelector(selector);
    if (place.innerHTML !== html) place.innerHTML = html; // else it is said again
  };
  change(".explorer-figure", explorer.figure(values));
  change(".explorer-says", explorer.says(values));
  for (const [name, words] of Object.entries(explorer.readings?.(values) ?? {})) {
    const control = root.querySelector(`[name="${name}"]`);
    control.setAttribute("aria-valuetext", words);
    control.parentElement.querySelector("span").textContent = words;
  }
}

// The mouse moves over a picture, or a finger taps it: the same as using the sliders.
function follow(root, form, explorer, show) {
  const go = (event) => {
    const under = document.elementFromPoint(event.clientX, event.clientY);
    const map = under?.closest("svg[data-map]");
    if (!map || !root.contains(map)) return;
    const { x, y } = new DOMPoint(event.clientX, event.clientY).matrixTransform(
      map.getScreenCTM().inverse(),
    );
    const values = explorer.point(map.dataset.map, x, y, valuesOf(form), event.type);
    if (values) (put(form, values), show("point"));
  };
  const figure = root.querySelector(".explorer-figure");
  figure.addEventListener(
    "pointermove",
    (event) => event.pointerType === "mouse" && go(event),
  );
  figure.addEventListener("click", go);
}
