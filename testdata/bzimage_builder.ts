/**
 * Makes Linux/x86 images for tests, of any boot protocol from none to 2.15, in
 * the shape the kernel's own build gives them.
 *
 * ```ts ignore
 * bzImage({ protocol: 0x207, subarch: 1, payload: gzipped, version: "2.6.24 (me@here)" });
 * bzImage({ pe: "new", kernelInfo: true, payload: { bytes: zstd, uncompressedSize: 4096 } });
 * ```
 *
 * @module
 */

import { appendCrc } from "../formats/image_crc.ts";
import { encodeKernelInfo, type KernelInfoParts } from "../formats/kernel_info.ts";
import { encode, isPresent, type Writable } from "../formats/layout.ts";
import { HDRS, nominalHeaderEnd, setupHeader, syssizeBefore204 } from "../formats/setup_header.ts";
import { withCertificates, writePeHeaders } from "./pe_builder.ts";

/** What image to make. */
export interface Recipe {
  /** Boot protocol, 0x020f for 2.15 (the default); 0 for an image without "HdrS". */
  readonly protocol?: number;
  /** Default x86-64 from 2.12 on, before that i386. */
  readonly machine?: "i386" | "x86-64";
  /** `hardware_subarch`, the platform type; loaders write it, images carry 0. */
  readonly subarch?: number;
  /** Loaded high (bzImage, the default) or low (zImage). */
  readonly high?: boolean;
  /** The byte as it stands in the header; 0 stands for 4. */
  readonly setupSects?: number;
  /** The version string; "" leaves `kernel_version` 0. */
  readonly version?: string;
  /**
   * The compressed kernel. With `uncompressedSize` that word is appended, as the
   * kernel's build does for every compressor except gzip.
   */
  readonly payload?: Uint8Array | {
    readonly bytes: Uint8Array;
    readonly uncompressedSize?: number;
    /** From the start of the protected-mode part; default as the machine has it. */
    readonly offset?: number;
  };
  /** From 2.15, where it is true by default. */
  readonly kernelInfo?: boolean | KernelInfoParts;
  /** Whether the last word is the check word; default from 2.08. */
  readonly crc?: boolean;
  /** PE header in the boot sector's tail (old) or at its front with page-aligned sections. */
  readonly pe?: "old" | "new" | undefined;
  /** A whole certificate table, appended; needs `pe`. */
  readonly certificate?: Uint8Array;
  /** Bytes after the protected-mode part, before any certificate. */
  readonly trailing?: Uint8Array;
  /** Any header field otherwise than worked out. */
  readonly header?: Writable<typeof setupHeader>;
  /** Changes the image before its check word is made. */
  readonly edit?: (image: Uint8Array) => void;
}

const up = (n: number, to: number) => Math.ceil(n / to) * to;
const text = (s: string) => new TextEncoder().encode(s);
const page = 0x1000;

/** The image, whole. */
export function bzImage(recipe: Recipe = {}): Uint8Array {
  const { protocol = 0x20f, pe, high = true } = recipe;
  const { machine = protocol >= 0x20c ? "x86-64" : "i386" } = recipe;
  const is64 = machine === "x86-64";
  const setupSects = recipe.setupSects ??
    (pe === "new" ? 23 : pe === "old" ? 7 : 4);
  const start = ((setupSects || 4) + 1) * 512;

  const body = protectedMode(recipe, protocol, is64);
  // A page-aligned image ends on FileAlignment; any other on the unit of syssize.
  const bodyLength = up(body.bytes.length + 4, pe === "new" ? 512 : 16);
  const image = new Uint8Array(start + bodyLength);
  image.set(body.bytes, start);

  image.set([0xfa, 0xf4]); // cli, hlt: nobody boots this from a floppy
  if (pe === "new") image.fill(0xff, 0x190, 0x1f1);
  if (protocol >= 0x20c) image.fill(0xff, 0x1ef, 0x1f1); // the sentinel
  const isOld = protocol < 0x200;
  const headerEnd = isOld ? 0x200 : nominalHeaderEnd(protocol);

  const version = recipe.version ?? "6.1.0-test (builder@example) #1 SMP";
  // Setup code would follow the header; the string and the mark of the end do.
  const stringAt = isOld ? 0 : 0x290;
  if (!isOld) {
    image.set(text(version), stringAt);
    const mark = up(stringAt + version.length + 1, 4);
    image.set([0x55, 0xaa, 0x5a, 0x5a], mark);
  }

  const fields: Writable<typeof setupHeader> = {
    setup_sects: setupSects,
    root_flags: 1,
    vid_mode: 0xffff,
    boot_flag: 0xaa55,
    jump: 0xeb | (headerEnd - 0x202) << 8,
    header: HDRS,
    version: protocol,
    start_sys_seg: 0x1000,
    kernel_version: version === "" ? 0 : stringAt - 0x200,
    loadflags: high ? 1 : 0,
    setup_move_size: 0x8000,
    code32_start: high ? 0x100000 : 0x1000,
    heap_end_ptr: 0x5be0,
    initrd_addr_max: 0x7fffffff,
    kernel_alignment: is64 ? 0x200000 : 0x1000000,
    relocatable_kernel: 1,
    min_alignment: is64 ? 21 : 13,
    xloadflags: is64 ? 0x007f : 0x0004,
    cmdline_size: 2047,
    hardware_subarch: recipe.subarch ?? 0,
    payload_offset: body.payloadOffset,
    payload_length: body.payloadLength,
    pref_address: 0x1000000n,
    init_size: 0x1000000,
    handover_offset: pe ? body.handoverOffset : 0,
    kernel_info_offset: body.kernelInfoOffset,
  };
  writeHeader(
    image,
    protocol,
    { ...fields, ...recipe.header },
    bodyLength / 16,
  );
  if (pe) writePe(image, pe, is64, start);

  recipe.edit?.(image);
  if (recipe.crc ?? protocol >= 0x208) appendCrc(image);
  const { trailing, certificate } = recipe;
  const whole = trailing ? join(image, trailing) : image;
  return certificate ? withCertificates(whole, certificate) : whole;
}

const join = (...parts: Uint8Array[]): Uint8Array => {
  const joined = new Uint8Array(parts.reduce((sum, p) => sum + p.length, 0));
  let at = 0;
  for (const part of parts) {
    joined.set(part, at);
    at += part.length;
  }
  return joined;
};

function writeHeader(
  image: Uint8Array,
  protocol: number,
  fields: Writable<typeof setupHeader>,
  syssize: number,
): void {
  const known: Record<string, unknown> = {};
  for (const [name, value] of Object.entries({ syssize, ...fields })) {
    const row = setupHeader.fields[name as keyof typeof setupHeader.fields];
    if (isPresent(row, { version: protocol })) known[name] = value;
  }
  if (protocol < 0x204) {
    const words = (known.syssize as number) & 0xffff;
    delete known.syssize;
    encode(syssizeBefore204, { syssize: words, swap_dev: 0 }, image, 0x1f4);
  }
  encode(setupHeader, known as Writable<typeof setupHeader>, image, 0x1f1);
}

interface Body {
  readonly bytes: Uint8Array;
  readonly payloadOffset: number;
  readonly payloadLength: number;
  readonly kernelInfoOffset: number;
  readonly handoverOffset: number;
}

/** Entry code, payload, decompressor, kernel_info: hlt where code would be. */
function protectedMode(recipe: Recipe, protocol: number, is64: boolean): Body {
  const given = recipe.payload ?? new Uint8Array();
  const payload = given instanceof Uint8Array ? { bytes: given } : given;
  const offset = payload.offset ?? (is64 ? 0x2cc : 0x94);
  const word = new Uint8Array(payload.uncompressedSize === undefined ? 0 : 4);
  if (payload.uncompressedSize !== undefined) {
    new DataView(word.buffer).setUint32(0, payload.uncompressedSize, true);
  }
  const wanted = recipe.kernelInfo ?? true;
  const info = protocol < 0x20f || wanted === false
    ? new Uint8Array()
    : encodeKernelInfo(wanted === true ? {} : wanted);
  const length = payload.bytes.length + word.length;
  const code = up(offset + length, 16);
  const infoAt = code + 0x40;
  const bytes = new Uint8Array(infoAt + info.length);
  bytes.fill(0xf4, 0, offset);
  bytes.set(payload.bytes, offset);
  bytes.set(word, offset + payload.bytes.length);
  bytes.fill(0xf4, code, infoAt);
  bytes.set(info, infoAt);
  return {
    bytes,
    payloadOffset: length > 0 ? offset : 0,
    payloadLength: length,
    kernelInfoOffset: info.length > 0 ? infoAt : 0,
    handoverOffset: code,
  };
}

function writePe(
  image: Uint8Array,
  layout: "old" | "new",
  is64: boolean,
  start: number,
): void {
  const machine = is64 ? 0x8664 : 0x14c;
  const discardable = 0x42000040;
  const compat = Uint8Array.of(1, 8, 0x4c, 0x01, 0, 0, 0, 0);
  new DataView(compat.buffer).setUint32(4, start + 0x10, true);
  const end = image.length;
  if (layout === "new") {
    const setupEnd = is64 ? start - page : start;
    if (is64) image.set(compat, setupEnd);
    // The last 512 bytes stand for .data, whose bss makes it longer in memory.
    const dataStart = end - 512;
    writePeHeaders(image, {
      machine,
      entry: start,
      sizeOfImage: up(dataStart, page) + 2 * page,
      sections: [
        {
          name: ".setup",
          raw: [page, setupEnd - page],
          characteristics: discardable,
        },
        ...(is64
          ? [{
            name: ".compat",
            raw: [setupEnd, page] as const,
            characteristics: discardable,
          }]
          : []),
        { name: ".text", raw: [start, dataStart - start] },
        {
          name: ".data",
          raw: [dataStart, 512],
          virtualAddress: up(dataStart, page),
          virtualSize: 2 * page,
          characteristics: 0xc0000040,
        },
      ],
    });
    return;
  }
  const relocAt = start - (is64 ? 0x40 : 0x20);
  // One block of relocations with nothing in it, as firmware insists on a .reloc.
  const view = new DataView(image.buffer);
  view.setUint32(relocAt, relocAt + 10, true);
  view.setUint32(relocAt + 4, 10, true);
  if (is64) image.set(compat, start - 0x20);
  writePeHeaders(image, {
    machine,
    e_lfanew: 0x82,
    entry: start + 0x10,
    imageVersion: [1, 0],
    dllCharacteristics: 0,
    sectionAlignment: 0x20,
    fileAlignment: 0x20,
    sizeOfHeaders: 0x200,
    sizeOfImage: end + 0x8000,
    sections: [
      {
        name: ".setup",
        raw: [0x200, relocAt - 0x200],
        characteristics: 0x60500020,
      },
      { name: ".reloc", raw: [relocAt, 0x20], characteristics: 0x42100040 },
      ...(is64
        ? [{
          name: ".compat",
          raw: [start - 0x20, 0x20] as const,
          characteristics: 0x42100040,
        }]
        : []),
      { name: ".text", raw: [start, end - start], characteristics: 0x60500020 },
    ],
  });
}
