import assert from "node:assert/strict";
import { info } from "../../cli/info.ts";
import type { InfoOptions } from "../../cli/program.ts";
import { readInput } from "../../cli/ui/files.ts";
import { MemoryTerminal } from "../../cli/ui/terminal.ts";
import { closedSpan } from "../../core/closed_payload.ts";
import { forEachImage } from "../images/images.ts";

const views: readonly Partial<InfoOptions>[] = [
  {},
  { all: true },
  { json: true },
  { check: true },
  { map: true },
  { platform: "pc" },
  { zeroPage: true },
  { zeroPage: true, loader: "gujin" },
];

forEachImage(
  "every view of a closed image is the same, its payload read or not",
  ["linux", "header", "pe", "foreign", "elf"],
  async ({ path }) => {
    const show = async (view: Partial<InfoOptions>, skips: boolean) => {
      const terminal = new MemoryTerminal();
      const options = { ...view, payload: false };
      const code = await info(
        terminal,
        [path],
        options,
        (path) => readInput(path, undefined, skips ? closedSpan : undefined),
      ).catch((error) => `${error}`);
      return { code, screen: terminal.screen };
    };
    for (const view of views) {
      assert.deepEqual(await show(view, true), await show(view, false), JSON.stringify(view));
    }
  },
);
