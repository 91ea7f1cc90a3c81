/**
 * Asks QEMU what `scripts.ts` and `vga_scripts.ts` ask, and writes `answers.ts` and
 * `vga_answers.ts`:
 *
 *     deno run -A testdata/board/make_answers.ts
 *
 * QEMU runs a ROM of our own that performs the steps and tells, through the debug
 * console, what it read and when. With `-icount` QEMU's time is instructions
 * too, so that the answers come with exact times and can be asked for again
 * at the same times.
 */

import { scripts } from "./scripts.ts";
import { type Step, stepsOf } from "./steps.ts";
import { vgaScripts } from "./vga_scripts.ts";

/**
 * The ROM's code, loaded at 0xffff0000.
 *
 *     0000: cli; lgdt cs:[0x40]; mov eax, 1; mov cr0, eax; jmp 8:0xffff0060
 *     0040: limit and base of the descriptor table, the table: flat code, flat data
 *     0060: ds = es = ss = 0x10; esi = 0xffff0200
 *     next: lodsd to ebp (what), edi (where), ecx (value); rdtsc to ebx
 *           what: 1 outb, 2 inb, 3 outl, 4 inl, 5 store, 6 load, 7 count ecx
 *           down; anything else ends by port 0x501
 *     log:  four bytes of ebx and four of eax to port 0xe9; on to the next
 */
const code = `
fa662e0f0116400066b8010000000f22c066ea6000ffff08000000000000000000000000000000000000000000000000
0000000000000000000000000000000017004800ffff00000000000000000000ffff0000009bcf00ffff00000093cf00
66b810008ed88ec08ed0be0002ffffad89c5ad89c7ad89c10f3189c389fa89c84d74194d74194d741b4d741b4d741b4d
741c4d741dba01050000eef4eeeb1631c0eceb11efeb0eedeb0b8907eb078b07eb034975fdbae900000093b904000000
eec1e8084975f989d8b904000000eec1e8084975f9eb9800
`;

const scriptAt = 0x200;
const whats = { out: 1, in: 2, out4: 3, in4: 4, write: 5, read: 6, wait: 7 } as const;

function rom(steps: readonly Step[]): Uint8Array {
  const bytes = new Uint8Array(0x10000);
  const view = new DataView(bytes.buffer);
  (code.match(/[0-9a-f]{2}/g) ?? []).forEach((byte, i) => bytes[i] = Number.parseInt(byte, 16));
  // jmp 0, from 0xfff0
  bytes.set([0xe9, 0x0d, 0x00], 0xfff0);
  let at = scriptAt;
  const record = (what: number, where: number, value: number) => {
    for (const word of [what, where, value]) {
      view.setUint32(at, word, true);
      at += 4;
    }
  };
  for (const { op, at: where, value } of steps) {
    if (op === "in2") {
      record(whats.in, where, 0);
      record(whats.in, where, 0);
    } else if (op === "wait") {
      // Two instructions a turn, one nanosecond each.
      record(whats.wait, 0, Math.max(1, Math.floor(where / 2)));
    } else {
      record(whats[op], where, value);
    }
  }
  return bytes;
}

async function ask(
  steps: readonly Step[],
  devices: readonly string[],
): Promise<[number, number][]> {
  const folder = await Deno.makeTempDir();
  await Deno.writeFile(`${folder}/rom`, rom(steps));
  const { stderr } = await new Deno.Command("qemu-system-x86_64", {
    args: [
      ...["-M", "pc", "-cpu", "qemu64", "-m", "16", "-nodefaults", "-display", "none"],
      ...["-serial", "null", "-icount", "shift=0,sleep=off"],
      ...["-rtc", "base=2024-01-01T00:00:00,clock=vm", "-bios", `${folder}/rom`],
      ...["-debugcon", `file:${folder}/log`, "-device", "isa-debug-exit,iobase=0x501"],
      ...devices.flatMap((device) => ["-device", device]),
    ],
    stdin: "null",
  }).output();
  const log = await Deno.readFile(`${folder}/log`);
  await Deno.remove(folder, { recursive: true });
  const view = new DataView(log.buffer);
  const words = Array.from({ length: log.length / 8 }, (_, i): [number, number] => [
    view.getUint32(8 * i, true),
    view.getUint32(8 * i + 4, true),
  ]);
  const wanted = steps.length + steps.filter(({ op }) => op === "in2").length;
  if (words.length !== wanted) {
    throw new Error(`${words.length} answers, not ${wanted}: ${new TextDecoder().decode(stderr)}`);
  }
  let [turns, before] = [0, 0];
  // The log has the lower 32 bits of the time.
  const answers = words.map(([time, value]): [number, number] => {
    if (time < before) turns++;
    before = time;
    return [turns * 0x1_0000_0000 + time, value];
  });
  return steps.map(({ op }) => {
    const [time, value] = answers.shift() ?? [0, 0];
    const isRead = op.startsWith("in") || op === "read";
    if (op !== "in2") return [time, isRead ? value : 0];
    return [time, value | (answers.shift()?.[1] ?? 0) << 8];
  });
}

const version = new TextDecoder().decode(
  (await new Deno.Command("qemu-system-x86_64", { args: ["--version"] }).output()).stdout,
).split("\n")[0];
/** Writes the answers to some scripts; a VGA is there only for those that ask one, since PCI's
 * functions are asked for as well. */
async function write(
  all: Readonly<Record<string, string>>,
  file: string,
  constant: string,
  devices: readonly string[],
): Promise<void> {
  const out = [
    "/**",
    ` * What QEMU answers to \`${file.replace("answers", "scripts")}\`: for every step the time in`,
    " * nanoseconds and what was read, 0 for steps that read nothing. Made by `make_answers.ts` with",
    ` * ${version}.`,
    " */",
    "",
    "/** By script. */",
    `export const ${constant}: Readonly<Record<string, readonly (readonly [number, number])[]>> = {`,
  ];
  for (const [name, script] of Object.entries(all)) {
    const answers = (await ask(stepsOf(script), devices)).map(([time, value]) =>
      `[${time}, 0x${value.toString(16)}]`
    );
    out.push(`  ${JSON.stringify(name)}: [`);
    for (let i = 0; i < answers.length; i += 6) {
      out.push(`    ${answers.slice(i, i + 6).join(", ")},`);
    }
    out.push("  ],");
  }
  out.push("};", "");
  await Deno.writeTextFile(new URL(file, import.meta.url), out.join("\n"));
}

await write(scripts, "answers.ts", "answers", []);
await write(vgaScripts, "vga_answers.ts", "vgaAnswers", ["isa-vga"]);
