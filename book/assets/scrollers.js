// A formula too wide for a phone scrolls inside itself. The theme makes such things
// stops of the Tab key, but does not know formulas.
const reach = () => {
  for (const e of document.querySelectorAll("div.math, mjx-container")) {
    if (e.scrollWidth > e.clientWidth) e.tabIndex = 0;
    else e.removeAttribute("tabindex");
  }
};
addEventListener("load", reach);
addEventListener("resize", reach);
