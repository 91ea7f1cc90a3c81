/**
 * Asks QEMU what the guests print, and writes `answers.ts`:
 *
 *     deno run -A testdata/guests/make_answers.ts
 *
 * The guest's image is a multiboot kernel. What the serial port was given must be
 * what the debug console was given.
 */

import { type Guest, witnessedGuests } from "./guests.ts";

const qemu = "qemu-system-x86_64";
const here = (name: string) => new URL(name, import.meta.url);

/** What a guest printed, or why it cannot have. */
async function ask({ name, load, end }: Guest, folder: string): Promise<string> {
  await Deno.writeFile(`${folder}/image`, load[0]?.bytes ?? new Uint8Array());
  const child = new Deno.Command(qemu, {
    args: [
      ..."-accel tcg -cpu qemu64 -m 16 -net none -display none -monitor none".split(" "),
      ..."-no-reboot -device isa-debug-exit,iobase=0xf4,iosize=4".split(" "),
      ...["-kernel", `${folder}/image`],
      ...["-debugcon", `file:${folder}/debug`, "-serial", `file:${folder}/serial`],
    ],
    stdin: "null",
    stdout: "null",
    stderr: "inherit",
  }).spawn();
  let isLate = false;
  // Guests that never end have said all by then.
  const timer = setTimeout(() => {
    isLate = true;
    child.kill("SIGKILL");
  }, end.kind === "halted" || end.kind === "endless" ? 5_000 : 60_000);
  const { code } = await child.status;
  clearTimeout(timer);
  const ended = isLate ? "late" : `${code}`;
  const expected = { exit: end.kind === "exit" ? `${end.code}` : "", "triple-fault": "0" };
  const should = expected[end.kind as keyof typeof expected] ?? "late";
  if (ended !== should) throw new Error(`${name}: ended with ${ended}, not ${should}`);
  const [debug, serial] = ["debug", "serial"].map((one) =>
    Deno.readTextFileSync(`${folder}/${one}`)
  );
  if (debug === undefined || debug !== serial) throw new Error(`${name}: the consoles differ`);
  return debug;
}

const folder = await Deno.makeTempDir();
const lines: string[] = [];
for (const guest of witnessedGuests()) {
  const text = await ask(guest, folder);
  console.log(`${guest.name}: ${text.split("\n").length - 1} lines`);
  const rows = text.split("\n").slice(0, -1).map((line) => `    ${JSON.stringify(line)},`);
  lines.push(`  ${JSON.stringify(guest.name)}: [`, ...rows, "  ],");
}
await Deno.remove(folder, { recursive: true });
const { stdout } = await new Deno.Command(qemu, { args: ["--version"] }).output();
const version = new TextDecoder().decode(stdout).split("\n")[0];
await Deno.writeTextFile(
  here("answers.ts"),
  `/**
 * What the guests of \`guests.ts\` print, in lines. Made by \`make_answers.ts\` with
 * ${version} (TCG, -cpu qemu64).
 */

/** By guest. */
export const answers: Readonly<Record<string, readonly string[]>> = {
${lines.join("\n")}
};
`,
);
await new Deno.Command(Deno.execPath(), { args: ["fmt", "-q", here("answers.ts").pathname] })
  .output();
