/**
 * The BIOS's ROM: what the interrupt vectors point to.
 *
 * A service is a stub that writes to one port and returns; behind the port waits
 * the service itself, in TypeScript, and knows by the stub's address which one it
 * is. To a guest a stub is a routine like any other: it may be called through the
 * vector, by `pushf` and a far call, or at the end of a chain of handlers.
 *
 * What waits must wait in the guest, where interrupts can come: those stubs look at
 * the carry flag, which the service sets for them, and halt or loop.
 *
 * Some addresses are as old as the PC and known to programs: the reset vector at
 * fff0, the date at fff5, the model at fffe, an IRET at ff53, and the small font at fa6e.
 *
 * @module
 */

import { glyphs } from "../dev/vga_font.ts";

/** The port behind which the services wait; no PC has anything there. */
export const biosPort = 0xbf;
/** Segment of the ROM. */
export const romSegment = 0xf000;
/** Bytes of it. */
export const romSize = 0x10000;

/** Where things lie in the ROM. */
export const romAt = {
  /** 256 characters of 8 rows. */
  font8: 0x9000,
  /** 256 characters of 14 rows. */
  font14: 0xa000,
  /** 256 characters of 16 rows. */
  font16: 0xb000,
  /** Description of the machine, for interrupt 15h, function C0. */
  configuration: 0xe6f5,
  /** Parameters of a diskette drive. */
  diskette: 0xefc7,
  /** Parameters of a hard disk that is not there. */
  noDisk: 0xe401,
  /** An IRET. */
  iret: 0xff53,
} as const;

/** What a stub asks for. */
export type Service =
  | "video"
  | "equipment"
  | "memorySize"
  | "disk"
  | "serial"
  | "system"
  | "waitCount"
  | "keyboard"
  | "printer"
  | "clock"
  | "boot"
  | "noBoot"
  | "tick"
  | "key";

/** The ROM, ready to be put at 0xf0000. */
export interface Rom {
  /** Its bytes. */
  readonly bytes: Uint8Array;
  /** Handlers' offsets by vector. */
  readonly vectors: ReadonlyMap<number, number>;
  /** What an OUT at some offset asks for. */
  readonly calls: ReadonlyMap<number, Service>;
}

/** `out biosPort, al` */
const call = [0xe6, biosPort];
const iret = 0xcf;
/** `push ax; mov al, 20h` */
const endBegins = [0x50, 0xb0, 0x20];
/** `out 20h, al; pop ax; iret`: the first controller takes the next interrupt. */
const endEnds = [0xe6, 0x20, 0x58, iret];
const end = [...endBegins, ...endEnds];

/** The stubs: by vector, the service of their first instruction and their code. */
const stubs: readonly (readonly [vector: number, service: Service, code: readonly number[]])[] = [
  // The timer: count, then let int 1ch know, then end.
  [0x08, "tick", [...call, 0xcd, 0x1c, ...end]],
  [0x09, "key", [...call, iret]],
  [0x10, "video", [...call, iret]],
  [0x11, "equipment", [...call, iret]],
  [0x12, "memorySize", [...call, iret]],
  [0x13, "disk", [...call, iret]],
  [0x14, "serial", [...call, iret]],
  [0x15, "system", [...call, 0x72, 0x01, iret, ...waitLoop()]],
  // again: call; jc +1; iret; sti; hlt; jmp again
  [0x16, "keyboard", [...call, 0x72, 0x01, iret, 0xfb, 0xf4, 0xeb, 0xf7]],
  [0x17, "printer", [...call, iret]],
  // cli; halt for good
  [0x18, "noBoot", [...call, 0xfa, 0xf4, 0xeb, 0xfd]],
  // call; jc +5; jmp 0:7c00; int 18h
  [0x19, "boot", [...call, 0x72, 0x05, 0xea, 0x00, 0x7c, 0x00, 0x00, 0xcd, 0x18]],
  [0x1a, "clock", [...call, iret]],
];
/** Where in the stub of int 15h the wait begins to count. */
const waitCountAt = 10;

/**
 * Waits for so many turns of the refresh bit of port 61h as the service puts into ECX.
 *
 *     sti; push eax; push ecx; call
 *     again: in al, 61h; and al, 10h; cmp al, ah; je again
 *     mov ah, al; dec ecx; jnz again; pop ecx; pop eax; iret
 */
function waitLoop(): number[] {
  return [
    ...[0xfb, 0x66, 0x50, 0x66, 0x51, ...call],
    ...[0xe4, 0x61, 0x24, 0x10, 0x38, 0xe0, 0x74, 0xf8],
    ...[0x88, 0xc4, 0x66, 0x49, 0x75, 0xf2, 0x66, 0x59, 0x66, 0x58, iret],
  ];
}

/** Builds the ROM. */
export function buildRom(): Rom {
  const bytes = new Uint8Array(romSize);
  const vectors = new Map<number, number>();
  const calls = new Map<number, Service>();
  let at = 0xe100;
  const place = (code: readonly number[]) => {
    bytes.set(code, at);
    const placed = at;
    at += code.length + 15 & ~15;
    return placed;
  };
  for (const [vector, service, code] of stubs) {
    const stub = place(code);
    vectors.set(vector, stub);
    calls.set(stub, service);
    if (service === "system") calls.set(stub + waitCountAt, "waitCount");
  }
  const first = place(end);
  for (let vector = 0x0a; vector < 0x10; vector++) vectors.set(vector, first);
  // The second controller first: out a0h, al
  const second = place([...endBegins, 0xe6, 0xa0, ...endEnds]);
  for (let vector = 0x70; vector < 0x78; vector++) vectors.set(vector, second);
  // Reset, by the keyboard controller: mov al, feh; out 64h, al; cli; halt for good
  const reset = place([0xb0, 0xfe, 0xe6, 0x64, 0xfa, 0xf4, 0xeb, 0xfd]);
  bytes.set([0xea, reset & 0xff, reset >> 8, romSegment & 0xff, romSegment >> 8], 0xfff0);
  bytes.set(new TextEncoder().encode("01/01/24"), 0xfff5);
  bytes[0xfffe] = 0xfc;
  bytes[romAt.iret] = iret;
  // Eight bytes follow: an AT, with two interrupt controllers, a clock, an extended area.
  bytes.set([0x08, 0x00, 0xfc, 0x01, 0x00, 0x64, 0x00, 0x00, 0x00, 0x00], romAt.configuration);
  // 3.5 inches, 18 sectors of 512 bytes a track.
  bytes.set(
    [0xdf, 0x02, 0x25, 0x02, 0x12, 0x1b, 0xff, 0x6c, 0xf6, 0x0f, 0x08],
    romAt.diskette,
  );
  bytes.set(glyphs(8), romAt.font8);
  bytes.set(glyphs(14), romAt.font14);
  bytes.set(glyphs(16), romAt.font16);
  bytes.set(glyphs(8).subarray(0, 8 * 128), 0xfa6e);
  return { bytes, vectors, calls };
}
