/**
 * Lets iasl (acpica-tools) read the board's ACPI tables and write them again from
 * its own listing, and keeps what it wrote in `acpi.ts`:
 *
 *     deno run -A testdata/board/make_acpi.ts
 *
 * A table that iasl reads wrongly, or warns about, does not come back the same.
 */

import { Board } from "../../emu/board.ts";

const folder = await Deno.makeTempDir();
const base = 0xe0000;
const tables = new Board().acpiTables(base) ?? new Uint8Array();
const view = new DataView(tables.buffer);

async function iasl(...args: string[]): Promise<void> {
  const { success, stdout, stderr } = await new Deno.Command("iasl", { args, cwd: folder })
    .output();
  const said = new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
  if (!success || /^(Warning|Error)/m.test(said)) throw new Error(said);
}

/** The table at a physical address, as iasl writes it. */
async function reread(at: number): Promise<[string, string]> {
  const offset = at - base;
  const bytes = tables.slice(offset, offset + view.getUint32(offset + 4, true));
  const name = new TextDecoder().decode(bytes.subarray(0, 4)).toLowerCase();
  await Deno.writeFile(`${folder}/${name}.aml`, bytes);
  await iasl("-d", `${name}.aml`);
  await iasl("-p", `${name}_again`, `${name}.dsl`);
  const again = await Deno.readFile(`${folder}/${name}_again.aml`);
  return [name, again.toHex()];
}

const rsdt = view.getUint32(16, true);
const xsdt = view.getUint32(24, true);
const fadt = view.getUint32(xsdt - base + 36, true);
const found = [
  rsdt,
  xsdt,
  view.getUint32(fadt - base + 36, true),
  view.getUint32(fadt - base + 40, true),
];
for (let i = 36; i < view.getUint32(xsdt - base + 4, true); i += 8) {
  found.push(view.getUint32(xsdt - base + i, true));
}
const out = [
  "/**",
  " * The board's ACPI tables as iasl 20200925 writes them after reading them; made by",
  " * `make_acpi.ts`.",
  " */",
  "",
  "/** By signature: where, and its bytes. */",
  "export const acpi: Readonly<Record<string, readonly [at: number, hex: string]>> = {",
];
for (const at of found) {
  const [name, hex] = await reread(at);
  const lines = (hex.match(/.{1,96}/g) ?? []).map((line) => `    "${line}"`).join(" +\n");
  out.push(`  ${name}: [0x${at.toString(16)},\n${lines}],`);
}
out.push("};", "");
await Deno.writeTextFile(new URL("acpi.ts", import.meta.url), out.join("\n"));
await Deno.remove(folder, { recursive: true });
