/**
 * Boots a 32-bit kernel in v86, its console on standard output:
 *
 * ```text
 * deno run -P=tools --no-lock tests/bench/v86_boot.ts BIOS VGABIOS MEMORY KERNEL INITRD CMDLINE
 * ```
 *
 * BIOS and VGABIOS are files, MEMORY is in bytes. It ends when the kernel has
 * said that it is done, since a PC without ACPI, as v86's is unless asked, cannot
 * switch itself off. Without arguments it only looks whether v86 is there.
 *
 * v86 is named here and nowhere else, and only when this runs: nothing else needs it.
 *
 * @module
 */

/** The release to measure against. */
const v86 = "npm:v86@0.5.462";

/** What of v86 is used here. */
interface V86Module {
  readonly V86: new (options: Readonly<Record<string, unknown>>) => {
    add_listener(event: "serial0-output-byte", told: (byte: number) => void): void;
  };
}

/** The last words of a kernel that is switched off, on a PC that can or cannot be. */
const lastWords = /reboot: (Power down|System halted|Restarting system)/;

async function main(args: readonly string[]): Promise<void> {
  const { V86 }: V86Module = await import(v86);
  const [bios = "", vgaBios = "", memory, kernel = "", initrd = "", cmdline = ""] = args;
  if (args.length === 0) return console.log(v86);
  const file = (path: string) => ({ buffer: Deno.readFileSync(path).buffer });
  const wasm = Deno.readFileSync(new URL("v86.wasm", import.meta.resolve(v86)));
  const machine = new V86({
    bios: file(bios),
    vga_bios: file(vgaBios),
    memory_size: Number(memory),
    bzimage: file(kernel),
    initrd: file(initrd),
    cmdline,
    wasm_fn: async (imports: WebAssembly.Imports) =>
      (await WebAssembly.instantiate(wasm, imports)).instance.exports,
    disable_speaker: true,
    autostart: true,
  });
  let line = "";
  machine.add_listener("serial0-output-byte", (byte) => {
    line += String.fromCharCode(byte);
    if (byte !== 10) return;
    Deno.stdout.writeSync(Uint8Array.from(line, (char) => char.charCodeAt(0)));
    if (lastWords.test(line)) Deno.exit(0);
    line = "";
  });
}

if (import.meta.main) await main(Deno.args);
