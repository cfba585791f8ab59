// A reader ticks off pages and exercises. The marks stay in this browser and go
// nowhere else; without scripts none of this is seen.
(() => {
  const KEY = "ten-phases-progress";
  const FORGETFUL = "This browser cannot keep your marks: export them before you leave this page.";
  const NO_FILE = "Choose a file of marks that was exported here.";
  const root = new URL(document.documentElement.dataset.content_root, location.href).href;
  const nameOf = (href) => href.slice(root.length).replace(/(\.html)?([?#].*)?$/, "").replace(/(^|\/)$/, "$1index");
  const here = nameOf(location.href);
  const all = (selector) => document.querySelectorAll(selector);
  let marks = {}; // "book/..." or "book/...#ex-...": the day on which it was done
  let unsaved = {};

  function parse(text) {
    const { book, done } = JSON.parse(text);
    if (book !== KEY || !Object.values(done).every((day) => day.at)) throw Error();
    return done;
  }

  function load() {
    const text = localStorage.getItem(KEY);
    try {
      return parse(text ?? packed());
    } catch {
      localStorage.setItem(`${KEY}-unread`, text); // put aside, not lost
      return {};
    }
  }

  // Other tabs may have saved since: a change is made to what is kept now.
  const changed = (kept) =>
    Object.fromEntries(Object.entries({ ...kept, ...unsaved }).filter(([, day]) => day));
  const packed = () => JSON.stringify({ book: KEY, done: marks }, null, 1);

  // What cannot be kept stays on this page, and is tried again.
  function change(entries, place, words) {
    Object.assign(unsaved, entries);
    try {
      marks = changed(load());
      localStorage.setItem(KEY, packed());
      unsaved = {};
      say(place, words);
    } catch {
      marks = changed(marks);
      say(place, FORGETFUL, exporter());
    }
    show();
  }

  function make(tag, look, ...content) {
    const element = document.createElement(tag);
    element.className = look;
    element.append(...content);
    return element;
  }

  function say(place, words, ...more) {
    document.querySelector(".progress-says")?.remove();
    if (!words) return;
    const line = make("p", "progress-says");
    line.role = "alert";
    place.after(line);
    line.append(`${words} `, ...more);
  }

  function tick(name, words) {
    const box = make("input", "");
    box.type = "checkbox";
    box.name = name;
    const label = make("label", "progress-tick", box, words);
    box.onchange = () => change({ [name]: box.checked ? new Date().toJSON().slice(0, 10) : null }, label);
    return label;
  }

  function exporter() {
    const button = make("button", "progress-button", "Export");
    button.onclick = () => {
      const link = make("a", "");
      link.href = URL.createObjectURL(new Blob([packed()]));
      link.download = `${KEY}.json`;
      link.click();
    };
    return button;
  }

  function importer(place) {
    const input = make("input", "");
    input.type = "file";
    input.onchange = async () => {
      try {
        const found = parse(await input.files[0].text());
        change(found, place, `${Object.keys(found).length} marks were read.`);
      } catch {
        say(place, NO_FILE);
      }
      input.value = "";
    };
    return make("label", "progress-button", "Import", input);
  }

  const list = JSON.parse(document.getElementById("progress-list")?.textContent ?? "{}");
  const counters = [];

  // pages: names, each with its number of exercises
  function counter(pages) {
    const line = make("p", "progress-count");
    counters.push(() => count(line, pages));
    return line;
  }

  function count(line, pages) {
    const names = Object.keys(pages);
    const sum = names.reduce((total, name) => total + pages[name], 0);
    const done = Object.keys(marks).filter((name) => name.split("#")[0] in pages);
    const solved = done.filter((name) => name.includes("#")).length;
    const words = `${done.length - solved} of ${names.length} pages${sum ? `, ${solved} of ${sum} exercises` : ""}`;
    const bar = make("progress", "");
    bar.max = names.length + sum;
    bar.value = done.length;
    bar.ariaLabel = words;
    line.replaceChildren(bar, words);
  }

  function show() {
    for (const box of all(".progress-tick input")) box.checked = box.name in marks;
    for (const mark of all(".progress-mark")) mark.remove();
    for (const link of all(".bd-links a")) {
      if (!(nameOf(link.href) in marks)) continue;
      const mark = make("span", "progress-mark", " ✓");
      mark.role = "img";
      mark.ariaLabel = "done";
      link.append(mark);
    }
    for (const anew of counters) anew();
    document.body.classList.toggle("progress-begun", Object.keys(marks).length);
  }

  function refresh() {
    try {
      marks = changed(load());
    } catch {} // said at the next change
    show();
  }

  function lay() {
    const end = document.querySelector(".page-run");
    const link = make("a", "", "All your progress");
    link.href = `${root}index.html#your-progress`;
    end?.before(make("p", "progress-page", tick(here, "I have finished this page."), link));
    for (const box of end ? all("div.exercise[id]") : []) {
      const title = box.querySelector(".caption-number").textContent.trim();
      box.append(tick(`${here}#${box.id}`, `${title} done`));
    }
    if (list[here]) document.querySelector("h1 + .progress-count").replaceWith(counter(list[here]));
    document.querySelector(".phases")?.after(overview());
  }

  function overview() {
    for (const card of all(".phase-card")) {
      const pages = list[nameOf(card.querySelector("a").href)];
      if (pages) card.querySelector(".sd-card-body").append(counter(pages));
    }
    const buttons = make("p", "", exporter(), " ");
    buttons.append(importer(buttons));
    const words = "Tick off pages and exercises as you go. The marks stay in this browser.";
    const total = counter(Object.assign({}, ...Object.values(list)));
    const panel = make("div", "progress-panel", words, total, buttons);
    panel.id = "your-progress";
    return panel;
  }

  lay();
  refresh();
  addEventListener("storage", refresh);
})();
