"""The process that sets mathematics: MathJax, in the JavaScript engine V8.

Its first argument is MathJax's folder. It answers each line of its input, a formula
as JSON, with a line: the HTML of the formula, or what is wrong with it. Given the
argument ``css``, it prints the style that all formulas need, and ends. It is a
process of its own because V8 does not survive the forking with which Sphinx writes
pages in parallel.
"""

import sys
from pathlib import Path

from py_mini_racer import MiniRacer

COMPONENTS = (
    *("core", "adaptors/liteDOM", "input/tex-base", "input/tex/extensions/ams"),
    *("input/tex/extensions/newcommand", "input/tex/extensions/boldsymbol"),
    *("output/chtml", "output/chtml/fonts/tex", "a11y/assistive-mml"),
)
# MathJax's components expect its loader, which expects a browser or Node
BEFORE = "globalThis.global = globalThis; globalThis.MathJax = {}; 0"
AFTER_CORE = "MathJax._.components.package = {}; 0"
SETUP = r"""
const parts = MathJax._;
const adaptor = parts.adaptors.liteAdaptor.liteAdaptor();
parts.a11y["assistive-mml"].AssistiveMmlHandler(
  parts.handlers.html_ts.RegisterHTMLHandler(adaptor));
const fail = (_, error) => { throw new Error(error.message); };
const input = new parts.input.tex_ts.TeX({
  packages: ["base", "ams", "newcommand", "boldsymbol"],
  formatError: fail,
});
const font = new parts.output.chtml.fonts.tex_ts.TeXFont({
  fontURL: "output/chtml/fonts/woff-v2",
});
const output = new parts.output.chtml_ts.CHTML({ adaptiveCSS: false, font });
const page = parts.mathjax.mathjax.document("", { InputJax: input, OutputJax: output });
function set(tex, display) {
  try {
    return { html: adaptor.outerHTML(page.convert(tex, { display })) };
  } catch (error) {
    return { fault: error.message };
  }
}
function answer(question) {
  const { tex, display } = JSON.parse(question);
  return JSON.stringify(set(tex, display));
}
function css() {
  return adaptor.textContent(output.styleSheet(page));
}
0
"""


def start(mathjax: Path) -> MiniRacer:
    engine = MiniRacer()
    engine.eval(BEFORE)
    for name in COMPONENTS:
        code = (mathjax / f"{name}.js").read_text(encoding="utf-8")
        engine.eval(f"{code}; 0")
        if name == "core":
            engine.eval(AFTER_CORE)
    engine.eval(SETUP)
    return engine


def main() -> None:
    engine = start(Path(sys.argv[1]))
    if sys.argv[2:] == ["css"]:
        print(engine.call("css"))
        return
    for line in sys.stdin:
        print(engine.call("answer", line), flush=True)


if __name__ == "__main__":
    main()
