/**
 * One future: whether code is compiled or interpreted, in large slices or small
 * ones, a machine comes to the same state at the same instruction.
 *
 * @module
 */

import assert from "node:assert/strict";
import { boot } from "../../core/boot/guest.ts";
import { Machine } from "../../emu/machine.ts";
import { readImage, withImages } from "../images/images.ts";

const commandLine = "console=ttyS0 earlyprintk=ttyS0 nokaslr cryptomgr.notests noisapnp";

/** Instructions after which the states are compared; the last is deep in the initcalls. */
const counts = [3e6, 40e6, 100e6, 180e6];

/** The states that a boot goes through. */
async function states(
  image: Uint8Array,
  { compiles, slice }: { readonly compiles: boolean; readonly slice: number },
) {
  const guest = await boot(image, { entry: "direct", commandLine, memory: 128 << 20 });
  const { machine } = guest;
  assert.ok(machine instanceof Machine);
  machine.engine.compiles = compiles;
  const hashes = counts.map((count) => {
    while (machine.instructions < count) {
      const { kind } = machine.run({ instructions: Math.min(slice, count - machine.instructions) });
      assert.equal(kind, "limit", guest.console.tail(20).join("\n"));
    }
    assert.equal(machine.instructions, count);
    return machine.stateHash();
  });
  return { hashes, text: guest.text, compiled: machine.engine.regions.compiled };
}

for (const id of ["linux-6.1-686", "linux-6.1-cloud-amd64"]) {
  withImages(
    `${id} goes through the same states compiled and interpreted, in slices of any size`,
    [id],
    async ([image]) => {
      assert.ok(image);
      const bytes = readImage(image);
      const compiled = await states(bytes, { compiles: true, slice: 1e9 });
      const interpreted = await states(bytes, { compiles: false, slice: 777_777 });
      assert.ok(compiled.compiled > 0);
      assert.equal(interpreted.compiled, 0);
      assert.deepEqual(compiled.hashes, interpreted.hashes);
      assert.equal(compiled.text, interpreted.text);
      assert.match(compiled.text, /NET: Registered/);
    },
  );
}
