/**
 * What a BIOS is asked, call by call; the witness's answers are in `answers.ts`, made
 * by `make_answers.ts`.
 *
 * A line is an interrupt and registers, in hexadecimal. What follows `;` says why our
 * answer may be another, and is then not compared.
 */

/** The calls, in order. */
export const calls = `
  12
  11; that machine has a diskette drive and a mouse
  10 eax=3
  10 eax=0f00
  10 eax=0300
  10 eax=1200 ebx=ff10 ecx=1234
  10 eax=1a00
  10 eax=1130 ebx=0600; fonts lie elsewhere
  10 eax=0e41 ebx=7
  10 eax=0300
  10 eax=0800
  10 eax=0200 edx=0
  10 eax=0800
  10 eax=0200 edx=184f
  10 eax=0e42 ebx=7
  10 eax=0300
  10 eax=0200 edx=1700
  10 eax=0800
  10 eax=0601 ebx=1e00 ecx=1600 edx=184f
  10 eax=0200 edx=1605
  10 eax=0800
  10 eax=0200 edx=1805
  10 eax=0800
  10 eax=0943 ebx=2f ecx=3
  10 eax=0300
  10 eax=0200 edx=1807
  10 eax=0800
  10 eax=1202 ebx=30
  10 eax=1007 ebx=6
  10 eax=1015 ebx=3f
  10 eax=1112
  10 eax=0300
  10 eax=1130 ebx=0300; fonts lie elsewhere
  10 eax=3
  10 eax=0100 ecx=0607
  10 eax=0300
  10 eax=0501
  10 eax=0f00
  10 eax=0500
  10 eax=5f00
  15 eax=e820 ebx=0 ecx=14 edx=534d4150 es=3000
  15 eax=e820 ebx=0 ecx=14 edx=1 es=3000
  15 eax=e820 ebx=63 ecx=14 edx=534d4150 es=3000
  15 eax=e801; that machine keeps memory for its tables
  15 eax=8800; that machine keeps memory for its tables
  15 eax=2402
  15 eax=2403
  15 eax=2401
  15 eax=ec00 ebx=2; that BIOS does not know it
  15 eax=e980 edx=47534943
  15 eax=c000
  15 eax=c100
  15 eax=4100
  15 eax=4f1e
  15 eax=8600 edx=64; AH is not said to be kept
  16 eax=0100
  16 eax=0200
  16 eax=1200
  16 eax=0500 ecx=1e61
  16 eax=0100
  16 eax=0000
  16 eax=0100
  16 eax=0305
  16 eax=1100
  13 eax=0201 ecx=1 edx=80 ebx=9000
  13 eax=0800 edx=80
  13 eax=1500 edx=80; "no such drive" is an answer, not an error, by the AT's listing
  13 eax=4100 ebx=55aa edx=80
  13 eax=0100 edx=80; what the call before left
  13 eax=0000 edx=80
  1a eax=0200; a second may have passed
  1a eax=0400; the century stays in AL there
  1a eax=b101; that BIOS has an entry for protected mode
  1a eax=b103 ecx=60000
  1a eax=b102 ecx=4711 edx=8086
  1a eax=b1ff
  1a eax=7700
`;

/** General registers but the stack pointer, in the order of answers. */
export const registers = ["eax", "ebx", "ecx", "edx", "esi", "edi", "ebp"] as const;

/** A call, read. */
export interface Call {
  /** The interrupt. */
  readonly vector: number;
  /** Registers before it; the others are 0. */
  readonly before: Readonly<Partial<Record<typeof registers[number] | "es", number>>>;
  /** Whether our answer must be the witness's. */
  readonly isCompared: boolean;
  /** The line itself. */
  readonly line: string;
}

/** Reads the calls. */
export function callsOf(text: string): Call[] {
  return text.split("\n").map((line) => line.trim()).filter((line) => line !== "").map((line) => {
    const [what = "", reason] = line.split(";");
    const [vector = "", ...settings] = what.trim().split(" ");
    const before = Object.fromEntries(settings.map((setting) => {
      const [name = "", value = ""] = setting.split("=");
      return [name, Number.parseInt(value, 16)];
    }));
    return {
      vector: Number.parseInt(vector, 16),
      before,
      isCompared: reason === undefined,
      line,
    };
  });
}
