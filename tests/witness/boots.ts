/**
 * Boots kernels and notes which rows of the opcode map they met: in the setup
 * code, the decompressor, the kernel with the tests of its own cryptography, and
 * the workload's processes.
 *
 *     deno run -P=tools tests/witness/boots.ts          prints a summary
 *     deno run -P=tools tests/witness/boots.ts --keep   and writes testdata/rows_met.txt
 *
 * @module
 */

import { fileURLToPath } from "node:url";
import { boot } from "../../core/boot/guest.ts";
import { Decoder } from "../../emu/cpu/decode.ts";
import { Machine } from "../../emu/machine.ts";
import { type MetRows, rowKey, rowsMetText } from "../../testdata/rows_met.ts";
import { image, readImage } from "../images/images.ts";
import { fetchedShell, smallWorkload, workloadScript } from "../images/shell.ts";

const guests = [
  ["i", "linux-6.1-686", "i386", "32"],
  ["a", "linux-6.1-cloud-amd64", "amd64", "real"],
] as const;

/** Boots a kernel with the workload; gives back the keys of the rows that were decoded. */
async function met(
  id: string,
  architecture: "i386" | "amd64",
  entry: "32" | "real",
): Promise<ReadonlySet<string>> {
  const kernel = image(id);
  const initrd = fetchedShell(architecture, workloadScript(smallWorkload));
  if (kernel === undefined || initrd === undefined) throw new Error("run deno task images first");
  const guest = await boot(readImage(kernel), {
    entry,
    initrd,
    commandLine: "console=ttyS0 quiet",
  });
  if (!(guest.machine instanceof Machine)) throw new Error("not the real machine");
  const keys = new Set<string>();
  guest.machine.engine.cache.onForm = ({ row }) => void keys.add(rowKey(row));
  const outcome = guest.run({ instructions: 20e9 });
  if (outcome.kind !== "power-off" || !guest.text.includes("workload: done")) {
    throw new Error(`${id}: ${outcome.kind}\n${guest.text.slice(-2000)}`);
  }
  return keys;
}

const found: MetRows = {
  boots: [],
  rows: new Map<string, string>(),
};
for (const [letter, id, architecture, entry] of guests) {
  const keys = await met(id, architecture, entry);
  console.log(`${id}: ${keys.size} rows`);
  found.boots.push({ letter, what: `${id}, ${entry} entry, workload` });
  for (const key of keys) found.rows.set(key, (found.rows.get(key) ?? "") + letter);
}
if (Deno.args.includes("--keep")) {
  const order = new Decoder(64).forms.slice(1).map(({ row }) => rowKey(row));
  const path = fileURLToPath(new URL("../../testdata/rows_met.txt", import.meta.url));
  await Deno.writeTextFile(path, rowsMetText(found, order));
}
