// What the tests ask of a page, from inside it. Each function returns a list of what
// is wrong, as text that helps to find it.
const name = (e) =>
  e.tagName.toLowerCase() + (e.id ? "#" + e.id : "") +
  (e.className?.trim ? "." + e.className.trim().replace(/\s+/g, ".") : "") +
  " " + (e.getAttribute("src") || e.textContent.trim().slice(0, 50));
const all = (selector) => [...document.querySelectorAll(selector)];
const shown = (e) => e.checkVisibility({ visibilityProperty: true });
const wait = (ms) => new Promise((done) => setTimeout(done, ms));
// a browser that nobody looks at may leave out a frame, or the end of an animation
const atMost = (ms, promise) => Promise.race([promise, wait(ms)]);
const frame = () =>
  atMost(500, new Promise((done) => requestAnimationFrame(() => done())));
const article = () => document.querySelector("article") || document.body;

window.look = {
  // go down the page as a reader does, so that lazy figures load, and back
  async settle() {
    let shift = 0;
    // the list of sections opens as one scrolls: that is no part of loading
    const list = document.querySelector(".bd-sidebar-secondary");
    const elsewhere = ({ node }) => !list?.contains(node);
    const loading = (s) =>
      !s.hadRecentInput && (!s.sources.length || s.sources.some(elsewhere));
    new PerformanceObserver((seen) => {
      for (const s of seen.getEntries().filter(loading)) shift += s.value;
    }).observe({ type: "layout-shift", buffered: true });
    await document.fonts.ready;
    await window.MathJax?.startup?.promise;
    for (let y = 0; y < document.body.scrollHeight; y += innerHeight) {
      scrollTo({ top: y, behavior: "instant" });
      await frame();
    }
    const figures = all("img").filter(shown).map((i) => i.decode().catch(() => 0));
    await atMost(5000, Promise.all(figures));
    scrollTo({ top: 0, behavior: "instant" });
    await look.settled();
    return { shift };
  },
  async settled() {
    await frame();
    const ends = document.getAnimations().map((a) => a.finished.catch(() => 0));
    await atMost(2000, Promise.all(ends));
    await wait(320); // the theme waits 300 ms
  },
  async setTheme(theme) {
    document.documentElement.dataset.theme = theme;
    await look.settled();
  },
  atContent() {
    return {
      "left over": look.leftOver(),
      unsized: look.unsized(),
      "too tall": look.tooTall(),
      "cut off": look.cutOff(),
      alike: look.alike(),
    };
  },
  // leave one of each thing that a page repeats a thousand times, so that axe takes
  // a second and not ten: tokens of code of one colour on one ground, and formulas
  thin() {
    const kept = new Set();
    for (const token of all("pre span[class]")) {
      const kind = token.className + token.closest("div[class*='highlight']")?.className;
      if (kept.has(kind)) token.replaceWith(...token.childNodes);
      kept.add(kind);
    }
    for (const formula of all("mjx-container:not([tabindex])").slice(3))
      if (!formula.closest("[tabindex='0']")) formula.replaceWith("x");
  },
  // mathematics that is still markup, or that could not be set
  leftOver() {
    const texts = document.createTreeWalker(article(), NodeFilter.SHOW_TEXT);
    const found = all("article mjx-merror, article .math:not(:has(mjx-container))");
    const bad = found.map(name);
    while (texts.nextNode()) {
      const node = texts.currentNode;
      if (node.parentElement.closest("pre, code, script, style, mjx-container")) continue;
      const match = /\\[()[\]]|\$\$|\\begin\{/.exec(node.data);
      if (match) bad.push(node.data.slice(match.index, match.index + 60));
    }
    return bad;
  },
  // images that take their place only once they have come
  unsized: () =>
    all("img").filter((i) => !(i.getAttribute("width") && i.getAttribute("height")))
      .map(name),
  // outputs of more than a screen; those that fold are within it
  tooTall: () =>
    all(".cell_output .output, .sphx-glr-script-out pre")
      .filter((e) => !e.querySelector("img, table") && e.offsetHeight > 640)
      .map(name),
  // code, and sentences that it printed, of which one has to scroll for the end
  // even where there is room
  cutOff: () =>
    all("article .highlight pre").filter((e) => e.scrollWidth > e.clientWidth).map(name),
  // what was typed and what was printed must differ on the page
  alike() {
    const looks = (e) => {
      const style = getComputedStyle(e);
      return style.backgroundColor + style.borderLeftColor + style.borderLeftStyle;
    };
    const typed = new Set(all(".cell_input pre, article .highlight-Python pre").map(looks));
    return all(".cell_output pre, .sphx-glr-script-out pre")
      .filter((e) => typed.has(looks(e))).map(name);
  },
  // a figure that brings paper must bring the paper of the theme that is on; one
  // that brings none must have another rendering for the other theme
  illegibleFigures() {
    const dark = document.documentElement.dataset.theme === "dark";
    const pen = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
    return all("article img").filter(shown).filter((image) => {
      if (image.closest(".sphx-glr-thumbcontainer")) return false;
      pen.canvas.width = pen.canvas.height = 16;
      pen.drawImage(image, 0, 0, 16, 16);
      const [r, g, b, alpha] = pen.getImageData(0, 0, 1, 1).data;
      // of two renderings one is shown; the book's mark stands on both grounds
      if (alpha < 128) return !image.matches(".only-light, .only-dark, .mark");
      return dark ? r + g + b > 384 : r + g + b < 384;
    }).map(name);
  },
  // what sticks out of a phone's screen and does not scroll inside something
  tooWide() {
    const limit = document.documentElement.clientWidth;
    if (document.documentElement.scrollWidth <= limit) return [];
    const out = all("body *").filter((e) => shown(e) &&
      e.getBoundingClientRect().right > limit + 1 && !look.insideScroller(e));
    return ["the page is " + document.documentElement.scrollWidth + " px wide",
            ...out.slice(0, 5).map(name)];
  },
  insideScroller(e) {
    for (e = e.parentElement; e; e = e.parentElement)
      if (e !== document.body && getComputedStyle(e).overflowX !== "visible") return true;
    return false;
  },
  // where the Tab key has come to, and whether one can see it
  async stop() {
    await look.settled();
    const e = document.activeElement;
    const box = e.getBoundingClientRect();
    return { text: e.textContent.trim(), seen: box.top >= 0 && box.height > 10 };
  },
  // one of each kind of thing that takes the focus must look different with it
  withoutFocusMark() {
    const style = (e) => [e, ...e.children].map(one).join();
    const one = (e) => line(getComputedStyle(e)) + line(getComputedStyle(e, "::after"));
    const line = (s) =>
      [s.outlineStyle === "none" || s.outlineWidth === "0px" ? "" : s.outline,
        s.boxShadow, s.backgroundColor, s.borderColor, s.textDecoration].join();
    const kinds = new Map(all("a[href], button, input, summary, [tabindex='0']")
      .filter(shown).map((e) => [e.tagName + e.className + e.parentElement.className, e]));
    return [...kinds.values()].filter((e) => {
      document.activeElement.blur();
      const before = style(e);
      e.focus({ preventScroll: true });
      return document.activeElement === e && style(e) === before;
    }).map(name);
  },
};
