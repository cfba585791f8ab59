// What is too wide for a phone scrolls inside itself, and is then a stop of the Tab key.
// A browser reports only what it has laid out, so that a long page is not laid out at
// once for this.
const kinds = "pre, .cell_output > .output, .pst-scrollable-table-container, div.math, mjx-container";
const watch = new ResizeObserver((boxes) => {
  for (const { target: e } of boxes) {
    const scrolls = e.scrollWidth > e.clientWidth || e.scrollHeight > e.clientHeight;
    if (scrolls) e.tabIndex = 0;
    else e.removeAttribute("tabindex");
  }
});
for (const e of document.querySelectorAll(kinds)) watch.observe(e);
