/**
 * `deno task tour NAME`: prints the stops of a tour in order, each with the code
 * under it; without a name, the tours there are.
 *
 * @module
 */

import { files, read } from "./tree.ts";
import { inOrder, type Stop, stopsIn, tours } from "./tours.ts";

/** All stops in the repository's code; what serves only tests has none. */
export function allStops(): Stop[] {
  return files(".ts").filter((path) => !path.startsWith("tests/"))
    .flatMap((path) => stopsIn(path, read(path)));
}

function main(args: readonly string[]): number {
  const [name] = args;
  const stops = allStops();
  if (name === undefined || name === "--help") {
    console.log("deno task tour NAME\n");
    for (const [tour, sight] of Object.entries(tours)) {
      const count = inOrder(stops, tour).length;
      const length = count === 0 ? "no stops yet" : `${count} ${count === 1 ? "stop" : "stops"}`;
      console.log(`  ${tour.padEnd(10)} ${sight} (${length})`);
    }
    return 0;
  }
  if (!Object.hasOwn(tours, name)) {
    console.error(`tour: no tour "${name}"\n  Tours: ${Object.keys(tours).join(", ")}`);
    return 2;
  }
  const way = inOrder(stops, name);
  if (way.length === 0) console.log(`The tour "${name}" has no stops yet.`);
  for (const [i, { path, line, prose, code }] of way.entries()) {
    console.log(`${"=".repeat(72)}\n${name} ${i + 1} of ${way.length}, ${path}:${line}\n`);
    console.log(`${prose}\n\n${code.replace(/^(?=.)/gm, "    ")}\n`);
  }
  return 0;
}

if (import.meta.main) Deno.exit(main(Deno.args));
