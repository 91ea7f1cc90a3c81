/**
 * Made microcode: the right shape and sums, no code.
 *
 * @module
 */

import {
  equivCpuEntry,
  extendedSignature,
  extendedSigtable,
  microcodeHeaderAmd,
  microcodeHeaderIntel,
} from "../formats/initramfs/microcode.ts";
import { encode } from "../formats/layout.ts";

/** An Intel update of 64 bytes of data, its words adding up to 0. */
export function intelUpdate(
  { extended = [], ...header }: {
    readonly sig: number;
    readonly rev: number;
    readonly date?: number;
    readonly pf?: number;
    readonly extended?: readonly number[];
  },
): Uint8Array {
  const data = microcodeHeaderIntel.size + 64;
  const table = extended.length === 0
    ? 0
    : extendedSigtable.size + extended.length * extendedSignature.size;
  const bytes = new Uint8Array(data + table);
  const rest = { hdrver: 1, ldrver: 1, datasize: 64, totalsize: bytes.length };
  encode(microcodeHeaderIntel, { date: 0x01022023, ...header, ...rest }, bytes);
  if (table > 0) {
    encode(extendedSigtable, { count: extended.length }, bytes, data);
    extended.forEach((sig, i) =>
      encode(
        extendedSignature,
        { sig, pf: 1 },
        bytes,
        data + extendedSigtable.size + i * extendedSignature.size,
      )
    );
  }
  const view = new DataView(bytes.buffer);
  let sum = 0;
  for (let at = 0; at < bytes.length; at += 4) sum = (sum + view.getUint32(at, true)) >>> 0;
  return encode(microcodeHeaderIntel, { cksum: -sum >>> 0 }, bytes);
}

/** An AMD container with patches of 16 bytes behind their headers. */
export function amdContainer({ equivalences, patches }: {
  /** CPUID signature and the number that patches know it by. */
  readonly equivalences: readonly (readonly [signature: number, number: number])[];
  /** Revision of a patch and the number it is for. */
  readonly patches: readonly (readonly [revision: number, number: number])[];
}): Uint8Array {
  const table = (equivalences.length + 1) * equivCpuEntry.size;
  const patch = microcodeHeaderAmd.size + 16;
  const bytes = new Uint8Array(12 + table + patches.length * (8 + patch));
  const view = new DataView(bytes.buffer);
  view.setUint32(0, 0x00414d44, true);
  view.setUint32(8, table, true);
  equivalences.forEach(([installed_cpu, equiv_cpu], i) =>
    encode(equivCpuEntry, { installed_cpu, equiv_cpu }, bytes, 12 + i * equivCpuEntry.size)
  );
  patches.forEach(([patch_id, processor_rev_id], i) => {
    const at = 12 + table + i * (8 + patch);
    view.setUint32(at, 1, true);
    view.setUint32(at + 4, patch, true);
    encode(
      microcodeHeaderAmd,
      { data_code: 0x02032024, patch_id, processor_rev_id },
      bytes,
      at + 8,
    );
  });
  return bytes;
}
