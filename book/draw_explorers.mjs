// Draw what the explorers show at their start, for pages without scripts.
//
// Run `node book/draw_explorers.mjs`; it fills book/explorers/*.html between the marks.
// Given folders as arguments, it reads from the first and writes to the second.
import { readFile, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const here = fileURLToPath(new URL("explorers", import.meta.url));
const [from = here, to = from] = process.argv.slice(2);

for (const file of (await readdir(from)).filter((name) => name.endsWith(".html"))) {
  const { explorer, start } = await import(
    `./assets/explore/${file.replace("html", "js")}`
  );
  let html = await readFile(join(from, file), "utf-8");
  for (const part of ["figure", "says"]) {
    const place = new RegExp(
      `(<(?:div|p) class="explorer-${part}"[^>]*>)[^]*?(</(?:div|p)><!-- ${part} -->)`,
    );
    html = html.replace(place, (_, open, close) => open + explorer[part](start) + close);
  }
  await writeFile(join(to, file), html);
}
