/**
 * Guests that do what no guest should: they read and write everywhere, by a
 * seed. What comes of it is anybody's guess, but never the host's end.
 *
 * @module
 */

import { at, mem } from "../../emu/cpu/assemble.ts";
import { type Guest, guest, type Kit } from "./kit.ts";

/** Ports whose writing ends a run, or switches the machine off. */
const endings = [0x64, 0x92, 0xf4, 0x501, 0xcf9, 0x600, 0x604];

/** A routine "random": the next 32 bits of a row, in eax. xorshift, of which 0 is no state. */
function random(kit: Kit, seed: number): void {
  const { a } = kit;
  a.label("random").emit("mov", "eax", kit.cell("a"));
  for (const [shift, by] of [["shl", 13], ["shr", 17], ["shl", 5]] as const) {
    a.emit("mov", "edx", "eax").emit(shift, "edx", by).emit("xor", "eax", "edx");
  }
  a.emit("mov", kit.cell("a"), "eax").emit("ret");
  a.label("seed").emit("mov", kit.cell("a"), (seed * 2654435761 | 1) >>> 0).emit("ret");
}

/**
 * Reads and writes random ports in all widths, and random places among the
 * devices' memory; interrupts are on, and whatever comes is let go.
 *
 * @param all Also those that may end the run.
 * @param rounds How often; then it exits.
 */
export function portProber(seed: number, all = false, rounds = 20_000): Guest {
  return guest(
    `ports ${seed}`,
    "random ports and device memory, all widths",
    { kind: "any" },
    (kit) => {
      const { a } = kit;
      kit.begin();
      a.emit("call", at("seed")).emit("mov", kit.cell("hook"), at("ignore"));
      a.emit("mov", "ebp", rounds).label("again").emit("sti");
      a.emit("call", at("random")).emit("mov", "ebx", "eax").emit("call", at("random"));
      a.emit("mov", "esi", "eax").emit("call", at("random")).emit("mov", "edi", "eax");
      // Half of them among the first 0x400 ports, where most devices are.
      a.emit("movzx", "edx", "bx").emit("test", "ebx", 0x10000).emit("jz", at("any port"));
      a.emit("and", "edx", 0x3ff).label("any port");
      if (!all) {
        for (const port of endings) {
          // Wide accesses reach it from three ports below.
          for (let n = 0; n < 4; n++) a.emit("cmp", "dx", port - n).emit("je", at("next"));
        }
      }
      a.emit("mov", "eax", "esi").emit("mov", "ecx", "ebx").emit("shr", "ecx", 20);
      a.emit("and", "ecx", 7).emit(
        "mov",
        "ecx",
        mem({ disp: at("doings"), index: "ecx", scale: 4 }),
      );
      a.emit("jmp", "ecx");
      a.label("in8").emit("in", "al", "dx").emit("jmp", at("next"));
      a.label("in16").emit("in", "ax", "dx").emit("jmp", at("next"));
      a.label("in32").emit("in", "eax", "dx").emit("jmp", at("next"));
      a.label("out8").emit("out", "dx", "al").emit("jmp", at("next"));
      a.label("out16").emit("out", "dx", "ax").emit("jmp", at("next"));
      a.label("out32").emit("out", "dx", "eax").emit("jmp", at("next"));
      // I/O APIC, HPET, local APIC and VGA, by turns.
      const device = () => {
        a.emit("mov", "ecx", "edi").emit("shr", "ecx", 30);
        a.emit("mov", "ecx", mem({ disp: at("devices"), index: "ecx", scale: 4 }));
        a.emit("and", "edi", 0xfff).emit("add", "ecx", "edi");
      };
      a.label("read");
      device();
      a.emit("mov", "eax", mem({ base: "ecx" })).emit("jmp", at("next"));
      a.label("write");
      device();
      a.emit("mov", mem({ base: "ecx" }), "eax");
      a.label("next").emit("dec", "ebp").emit("jnz", at("again")).emit("cli");
      kit.exit(0x10);
      a.align(4).label("doings").u32(
        ...["in8", "in16", "in32", "out8", "out16", "out32", "read", "write"].map((n) => at(n)),
      );
      a.label("devices").u32(0xfec00000, 0xfed00000, 0xfee00000, 0xa0000);
      a.label("ignore").emit("mov", "al", 0x20).emit("out", 0x20, "al").emit("out", 0xa0, "al");
      a.emit("mov", mem({ disp: 0xfee000b0, size: 32 }), 0).emit("mov", "eax", 1).emit("ret");
      random(kit, seed);
    },
  );
}

/** Writes random words to random places of all memory, itself included, for ever. */
export function memoryProber(seed: number): Guest {
  return guest(`memory ${seed}`, "random words everywhere", { kind: "any" }, (kit) => {
    const { a } = kit;
    kit.begin();
    a.emit("call", at("seed")).label("again").emit("call", at("random"));
    a.emit("mov", "ebx", "eax").emit("call", at("random")).emit("mov", mem({ base: "ebx" }), "eax");
    // Every other one where there is memory.
    a.emit("and", "ebx", 0xffffff).emit("mov", mem({ base: "ebx" }), "eax");
    a.emit("jmp", at("again"));
    random(kit, seed);
  });
}

/** Runs random bytes as code, at level 0 with nothing to stop it. */
export function codeProber(seed: number): Guest {
  return guest(`code ${seed}`, "random bytes as instructions", { kind: "any" }, (kit) => {
    const { a } = kit;
    kit.begin();
    a.emit("call", at("seed")).emit("mov", "edi", 0x200000).emit("mov", "ecx", 0x4000);
    a.label("fill").emit("call", at("random")).emit("stosd").emit("loop", at("fill"));
    a.emit("mov", kit.cell("hook"), at("go on"));
    a.emit("mov", "eax", 0x200000).emit("jmp", "eax");
    // Behind every exception, go on a random distance further.
    a.label("go on").emit("call", at("random")).emit("and", "eax", 0xffff);
    a.emit("add", "eax", 0x200000).emit("mov", kit.frame(2), "eax").emit("mov", "eax", 1);
    a.emit("ret");
    random(kit, seed);
  });
}
