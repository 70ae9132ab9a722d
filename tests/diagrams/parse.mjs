// Parses each Mermaid diagram of the given Markdown files. Never draws one.
import { readFileSync } from "node:fs";
import { JSDOM } from "jsdom";

// mermaid cleans labels with a DOM as soon as it is loaded.
const { window } = new JSDOM("");
Object.assign(globalThis, { window, document: window.document });
const { default: mermaid } = await import("mermaid");

let parsed = 0;
let failed = 0;
for (const file of process.argv.slice(2)) {
  const text = readFileSync(file, "utf8").replaceAll("\r\n", "\n");
  for (const { 1: diagram, index } of text.matchAll(/^```mermaid\n(.*?)^```$/gms)) {
    const line = text.slice(0, index).split("\n").length;
    try {
      const { diagramType } = await mermaid.parse(diagram);
      console.log(`parsed: ${file}:${line}, ${diagramType}`);
      parsed += 1;
    } catch (error) {
      console.error(`${file}:${line}: ${error.message}`);
      failed += 1;
    }
  }
}
if (parsed === 0) console.error("no diagram found");
process.exit(failed === 0 && parsed > 0 ? 0 : 1);
