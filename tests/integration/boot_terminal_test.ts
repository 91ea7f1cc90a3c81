/**
 * bootrun in front of a terminal: `script` makes one, and types.
 *
 * @module
 */

import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { tiny, tinyGuest } from "../../testdata/tiny_guest.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));

/** Whether there is a `script` to make terminals with. */
function hasScript(): boolean {
  if (Deno.build.os !== "linux") return false;
  try {
    return new Deno.Command("script", { args: ["--version"], stdout: "null", stderr: "null" })
      .outputSync().success;
  } catch {
    return false;
  }
}

interface Typing {
  /** What the screen must show before the keys are pressed. */
  readonly after: RegExp;
  /** The keys. */
  readonly keys: string;
}

/** Runs bootrun on a guest in a terminal, types, and gives back what the screen showed. */
async function session(guest: Uint8Array, typing: readonly Typing[]) {
  const path = await Deno.makeTempFile({ suffix: ".bzImage" });
  await Deno.writeFile(path, guest);
  try {
    // The terminal's settings before and after, as stty tells them.
    const bootrun = `${Deno.execPath()} run -q -P=inspect cli/bootrun.ts --memory 16M ${path}`;
    const child = new Deno.Command("script", {
      args: ["-qefc", `stty -g; ${bootrun}; code=$?; stty -g; exit $code`, "/dev/null"],
      cwd: root,
      stdin: "piped",
      stdout: "piped",
      stderr: "null",
    }).spawn();
    const keyboard = child.stdin.getWriter();
    const decoder = new TextDecoder();
    const left = [...typing];
    let screen = "";
    for await (const bytes of child.stdout) {
      screen += decoder.decode(bytes, { stream: true });
      const [next] = left;
      if (next === undefined || !next.after.test(screen)) continue;
      left.shift();
      await keyboard.write(new TextEncoder().encode(next.keys));
    }
    await keyboard.close().catch(() => {});
    const { code } = await child.status;
    const settings = screen.match(/^[0-9a-f]+(:[0-9a-f]+)+/gm) ?? [];
    return { code, screen, settings };
  } finally {
    await Deno.remove(path);
  }
}

Deno.test({
  name: "keys are the guest's, ^C too; ^A h helps, ^A x leaves, and the terminal is as it was",
  ignore: !hasScript(),
  fn: async () => {
    const guest = tinyGuest(tiny.says("ready> "), tiny.echoes(), tiny.exits(0));
    const { code, screen, settings } = await session(guest, [
      { after: /ready> /, keys: "ab\x03cd" },
      { after: /ab.cd/, keys: "\x01h" },
      { after: /\^A x {2}leave/, keys: "\x01x" },
    ]);
    assert.ok(screen.includes("ab\x03cd"), "^C came to the guest and back");
    assert.match(screen, /bootrun: left, [\d,]+ instructions/);
    assert.equal(code, 0);
    assert.equal(settings.length, 2, screen);
    assert.equal(settings[0], settings[1]);
  },
});

Deno.test({
  name: "a guest that ends by itself gives the terminal back as well",
  ignore: !hasScript(),
  fn: async () => {
    const { code, screen, settings } = await session(
      tinyGuest(tiny.says("bye\r\n"), tiny.faults()),
      [],
    );
    assert.match(screen, /^bye\r/m);
    assert.match(screen, /bootrun: triple fault/);
    assert.equal(code, 4);
    assert.equal(settings[0], settings[1]);
  },
});
