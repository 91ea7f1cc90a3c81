/**
 * What a command does with a file, on whatever bytes: opened, judged, mapped,
 * written as JSON and printed in every view, and a zero page built for it.
 *
 * @module
 */

import assert from "node:assert/strict";
import { summary } from "../../cli/views/summary.ts";
import { sections } from "../../cli/views/sections.ts";
import { printBootParams } from "../../cli/views/boot_params.ts";
import { MemoryTerminal } from "../../cli/ui/terminal.ts";
import { BootError } from "../../core/errors.ts";
import { judgePlatforms } from "../../core/evidence.ts";
import { imageMap } from "../../core/image_map.ts";
import { inspect } from "../../core/inspection.ts";
import { fieldOf, fieldPaths, inspectionJson } from "../../core/json.ts";
import { loaderNames } from "../../core/loaders/mod.ts";
import { buildZeroPage } from "../../core/zero_page.ts";
import { auditContextOf, auditZeroPage } from "../../core/zero_page_audit.ts";
import { FormatError } from "../../formats/errors.ts";
import { type Random } from "./mutate.ts";

/** Most bytes that anything may unpack to. */
export const LIMIT = 1 << 20;

/** Runs a decoder; a FormatError is a fair answer, anything else is not. */
export function fairly<T>(decoder: () => T): T | undefined {
  try {
    return decoder();
  } catch (error) {
    if (error instanceof FormatError) return undefined;
    throw error;
  }
}

/** As {@link fairly}, for decoders that take their time. */
export async function fairlySoon<T>(decoder: () => Promise<T>): Promise<T | undefined> {
  try {
    return await decoder();
  } catch (error) {
    if (error instanceof FormatError) return undefined;
    throw error;
  }
}

/** Everything that bootinfo does with a file. */
export async function openWhole(bytes: Uint8Array, random: Random): Promise<void> {
  const inspection = await inspect("made", bytes, { limit: LIMIT });
  const platforms = await judgePlatforms(inspection);

  let at = 0;
  for (const region of imageMap(inspection)) {
    assert.equal(region.offset, at, "the map has neither blank nor overlap");
    assert.ok(region.length > 0, "no stretch of the map is empty");
    at += region.length;
  }
  assert.equal(at, bytes.length, "the map ends where the file does");

  for (const { offset, message, rule } of inspection.complaints) {
    assert.ok(Number.isSafeInteger(offset) && offset >= 0, `${rule} at ${offset}: ${message}`);
    assert.ok(!/undefined|NaN|\[object/.test(message), `${rule}: ${message}`);
    assert.ok(!message.includes("\n"), `${rule}: ${JSON.stringify(message)} is one line`);
  }

  const document = inspectionJson(inspection, platforms);
  const text = JSON.stringify(document);
  if (random(8) === 0) {
    assert.deepEqual(JSON.parse(text), document, "the document is JSON and nothing else");
    for (const path of fieldPaths(document)) fieldOf(document, path);
  }

  const terminal = new MemoryTerminal({ columns: 40 + random(100) });
  summary(terminal, inspection, { platforms });
  if (random(8) === 0) {
    for (const section of Object.values(sections)) {
      section.print(terminal, { inspection, platforms });
    }
  }
  if (bytes.length >= 4096 && random(8) === 0) {
    fairly(() => printBootParams(terminal, inspection, true));
  }
  const printed = terminal.stdout;
  // deno-lint-ignore no-control-regex
  assert.doesNotMatch(printed, /[\x00-\x08\x0b-\x1f\x7f]/, "nothing steers the terminal");

  if (random(4) === 0) await inspect("made", bytes, { payload: false });

  const { boot, kernel } = inspection;
  if (kernel) {
    await fairlySoon(() => kernel.config());
    await fairlySoon(() => kernel.btf());
    await fairlySoon(() => kernel.symbols());
    await fairlySoon(() => kernel.symbolsAbsent());
  }
  if (boot) {
    const loader = loaderNames[random(loaderNames.length)] ?? "zeropage";
    const image = { bytes: boot.bytes, header: boot.header };
    try {
      const built = buildZeroPage({
        image,
        memory: 1 << 20 + random(12),
        commandLine: "console=ttyS0",
        ...(random(2) === 0 && { initrd: { size: 1 << random(24) } }),
        platform: random(6),
        loader,
      });
      assert.equal(built.page.length, 4096);
      auditZeroPage(built.page, image, auditContextOf(built));
    } catch (error) {
      if (!(error instanceof BootError || error instanceof FormatError)) throw error;
    }
  }
}
