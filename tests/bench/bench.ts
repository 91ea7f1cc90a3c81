/**
 * `deno task bench [NAME [ARGUMENT]...]`: runs the measurements in this folder,
 * all of them or the one in NAME_bench.ts, one at a time so that none disturbs
 * another.
 *
 * Each is a script that measures against a yardstick in the same run, in turns,
 * and prints ratios: the machine's weather is then the same for both.
 *
 * @module
 */

import { fileURLToPath } from "node:url";

const folder = fileURLToPath(new URL(".", import.meta.url));

/** Names of the measurements, sorted. */
export function benches(): string[] {
  return [...Deno.readDirSync(folder)]
    .flatMap(({ name }) => /^(\w+)_bench\.ts$/.exec(name)?.[1] ?? []).sort();
}

async function main([wanted, ...args]: readonly string[]): Promise<number> {
  const known = benches();
  if (wanted !== undefined && !known.includes(wanted)) {
    console.error(`no measurement ${wanted}; there are: ${known.join(", ")}`);
    return 2;
  }
  const failed: string[] = [];
  for (const name of wanted === undefined ? known : [wanted]) {
    console.log(`## ${name}\n`);
    const { success } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "-q", "-P=tools", `${folder}${name}_bench.ts`, ...args],
      stdin: "null",
      stdout: "inherit",
      stderr: "inherit",
    }).output();
    if (!success) failed.push(name);
    console.log();
  }
  if (failed.length > 0) console.error(`failed: ${failed.join(", ")}`);
  return failed.length > 0 ? 1 : 0;
}

if (import.meta.main) Deno.exit(await main(Deno.args));
