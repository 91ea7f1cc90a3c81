/**
 * Two images compared, as far as both decode.
 *
 * @module
 */

import type { Complaint } from "../../formats/complaint.ts";
import { crc32 } from "../../formats/crc32.ts";
import { hex } from "../../formats/errors.ts";
import { kernelInfo } from "../../formats/kernel_info.ts";
import { type AnyRecord, walk } from "../../formats/layout.ts";
import { releaseText } from "../evidence.ts";
import { imageMap } from "../image_map.ts";
import type { Inspection } from "../inspection.ts";
import type { Entry, Verdict } from "../platforms/platform.ts";
import {
  address,
  arrange,
  type Arrangement,
  byteCount,
  type Change,
  compare,
  growth,
  growthOf,
  keyed,
  pairs,
  type Side,
  side,
  size,
} from "./change.ts";
import { grouped } from "../words.ts";
import { compareConfigs } from "./config.ts";
import { compareEfi, compareSignatures, compareUkis } from "./efi.ts";
import { compareField, compareHeaders } from "./header.ts";
import { compareKernels } from "./kernel.ts";

/** One image with its platforms' verdicts. */
export interface ComparedImage {
  /** The opened file. */
  readonly inspection: Inspection;
  /** Every platform's verdict. */
  readonly platforms: ReadonlyMap<string, Verdict>;
}

/** Compares two images. */
export async function diffImages(
  a: ComparedImage,
  b: ComparedImage,
  wanted: Arrangement = {},
): Promise<Change[]> {
  const changes: Change[] = [];
  for await (const change of compareImages(a, b)) changes.push(change);
  const [left, right] = [a.inspection, b.inspection];
  // Between two builds every part has other bytes; within one build each is news.
  const isOneBuild = versionText(left) === versionText(right);
  if (isOneBuild || changes.every(({ kind }) => kind === "same")) {
    changes.push(...compareContents(left, right));
  }
  return arrange(changes, wanted);
}

async function* compareImages(a: ComparedImage, b: ComparedImage): AsyncGenerator<Change> {
  const [left, right] = [a.inspection, b.inspection];
  yield* compareFiles(left, right);
  yield* compareReleases(left, right);
  yield* comparePlatforms(a.platforms, b.platforms);
  const [boot, other] = [left.boot, right.boot];
  if (boot && other) {
    yield* compareHeaders(boot.header, other.header, { withImage: true });
    yield* compare("loading", "loaded as", side(boot.kind), side(other.kind));
  } else {
    yield* compare("loading", "boot header", bootSide(left), bootSide(right), {
      note: "nothing to compare the header's fields with",
    });
  }
  yield* comparePayloads(left, right);
  yield* compareKernels(left, right);
  yield* compareKernelInfos(left, right);
  yield* compareEfi(left, right);
  yield* compareUkis(left, right);
  yield* compareSignatures(left, right);
  yield* compareCrcs(left, right);
  yield* compareComplaints(left, right);
  const [config, otherConfig] = [await configOf(left), await configOf(right)];
  if (config && otherConfig) yield* compareConfigs(config, otherConfig);
}

const configOf = ({ kernel }: Inspection) => kernel?.config().catch(() => undefined);

function* compareFiles(a: Inspection, b: Inspection): Generator<Change> {
  const kind = (i: Inspection) =>
    side(i.inside ? `${i.recognition.kind}: ${i.inside.kind}` : i.recognition.kind);
  yield* compare("file", "kind", kind(a), kind(b));
  const [was, is] = [a.bytes.length, b.bytes.length];
  yield* compare("contents", "file size", size(was), size(is), () => ({
    kind: "resized",
    note: growth(was, is),
  }));
  // A file that no decoder here takes apart is known by what recognition says.
  if (isDecoded(a) || isDecoded(b)) return;
  const fields = ({ recognition, inside }: Inspection) =>
    keyed((inside ?? recognition).fields, ({ name }) => name);
  for (const [name, before, after] of pairs(fields(a), fields(b))) {
    const shown = (f: typeof before) => f && side(f.value, f.shown ?? String(f.value));
    yield* compare("file", name, shown(before), shown(after));
  }
}

const isDecoded = ({ boot, kernel, pe }: Inspection): boolean =>
  boot !== undefined || kernel !== undefined || pe !== undefined;

function versionText({ boot, kernel }: Inspection): string | undefined {
  return boot?.versionString?.text ?? kernel?.banner?.text;
}

/** What the version string and the banner say, taken apart. */
function releaseParts(inspection: Inspection): Readonly<Record<string, string | undefined>> {
  const { boot, kernel } = inspection;
  const banner = kernel?.banner?.text;
  // RELEASE (BUILDER) #1 SMP DATE; in the banner the compiler stands in between.
  const short = boot?.versionString?.text.match(/^\S+ \(([^()]*)\) ?(.*)$/s);
  const long = banner?.match(/^Linux version \S+ \(([^()]*)\) \((.*)\) (#.*)$/s);
  return {
    release: releaseText(inspection),
    "built by": short?.[1] ?? long?.[1],
    build: short?.[2] || long?.[3],
    compiler: long?.[2],
  };
}

function* compareReleases(a: Inspection, b: Inspection): Generator<Change> {
  const [left, right] = [releaseParts(a), releaseParts(b)];
  for (const name of Object.keys(left)) {
    const [was, is] = [side(left[name]), side(right[name])];
    // Only an unpacked kernel names its compiler.
    if (name === "compiler" && !(was && is)) continue;
    yield* compare("release", name, was, is);
  }
}

/** An entry in a few characters. */
const entryText = ({ kind, address }: Entry): string => `${kind} ${hex(address)}`;

function verdictText(verdict: Verdict, pc: Verdict | undefined): string {
  if (!verdict.starts) {
    return `${verdict.starts === null ? "cannot be told" : "does not start"}: ${verdict.reason}`;
  }
  const line = verdict.entries.map(entryText).join(", ");
  const asPc = pc !== verdict && pc?.starts === true &&
    pc.entries.map(entryText).join(", ") === line;
  return [`starts ${asPc ? "as pc" : `by ${line}`}`, ...verdict.remarks].join("; ");
}

/**
 * Compares verdicts. A platform that enters as the PC does on both sides is not
 * told again when the PC's entries move.
 */
function* comparePlatforms(
  a: ReadonlyMap<string, Verdict>,
  b: ReadonlyMap<string, Verdict>,
): Generator<Change> {
  for (const [name, was, is] of pairs(a, b)) {
    const [before, after] = [was, is].map((verdict, i) =>
      verdict && verdictText(verdict, (i === 0 ? a : b).get("pc"))
    );
    yield* compare("platforms", name, side(before), side(after), () => {
      if (!was || !is) return {};
      const words = (v: Verdict) =>
        v.starts ? "starts" : v.starts === null ? "cannot be told" : "does not start";
      if (was.starts === is.starts) {
        // What moved with the PC's entries has been told of the PC.
        if (!was.starts || after?.startsWith("starts as pc")) return {};
        return { kind: "moved", note: movedEntries(was.entries, is) };
      }
      return {
        meaning: `${name}: ${words(was)} → ${is.starts ? after : `${words(is)}: ${is.reason}`}`,
        ...(was.starts && { severity: "warning" as const }),
      };
    });
  }
}

/** Which ways in moved, came or went. */
function movedEntries(was: readonly Entry[], is: Verdict): string | undefined {
  const byKind = (entries: readonly Entry[]) => new Map(entries.map((e) => [e.kind, e.address]));
  const parts: string[] = [];
  for (const [kind, from, to] of pairs(byKind(was), byKind(is.starts ? is.entries : []))) {
    if (from === to) continue;
    if (from === undefined) parts.push(`${kind} entry came`);
    else if (to === undefined) parts.push(`${kind} entry went`);
    else parts.push(`${kind} entry moved from ${hex(from)} to ${hex(to)}`);
  }
  return parts.length > 0 ? parts.join(", ") : undefined;
}

const bootSide = ({ boot }: Inspection) => boot && side(boot.kind, `${boot.kind} header`);

function* comparePayloads(a: Inspection, b: Inspection): Generator<Change> {
  const facts = ({ boot, kernel }: Inspection) => {
    const { payload, at = 0 } = boot ?? {};
    const unpacked = kernel?.unpacked;
    return {
      format: payload ? payload.format ?? "unknown" : unpacked?.format,
      offset: payload ? at + payload.offset : unpacked?.offset,
      length: payload?.length ?? unpacked?.length,
      found: payload?.found,
      sizeWord: payload?.sizeWord,
      unpacked,
      opens: kernel !== undefined,
    };
  };
  const [was, is] = [facts(a), facts(b)];
  if (was.format === undefined || is.format === undefined) {
    yield* compare("payload", "format", side(was.format), side(is.format), {
      note: "only one of the files has a compressed kernel",
    });
    return;
  }
  yield* compare("payload", "format", side(was.format), side(is.format));
  yield* compare("payload", "length", size(was.length), size(is.length), () => ({
    kind: "resized",
    note: growthOf(was.length, is.length),
  }));
  yield* compare("payload", "offset", address(was.offset), address(is.offset), { kind: "moved" });
  yield* compare("payload", "found by", side(was.found), side(is.found));
  const word = (n: number | undefined) => n === undefined ? undefined : size(n);
  yield* compare("payload", "size word", word(was.sizeWord), word(is.sizeWord), () => ({
    ...(was.sizeWord !== undefined && is.sizeWord !== undefined && { kind: "resized" as const }),
    note: growthOf(was.sizeWord, is.sizeWord),
  }));
  if (a.opened && b.opened) {
    const does = (opens: boolean) => side(opens, opens ? "unpacks" : "does not unpack");
    yield* compare("payload", "contents", does(was.opens), does(is.opens), {
      ...(!is.opens && { severity: "error" as const }),
    });
  }
  // A kernel that lies open in the file was not unpacked.
  if (!was.unpacked || !is.unpacked) return;
  const checks = (x: readonly string[]) => side(x, x.join(", ") || "none in the format");
  yield* compare("payload", "checks", checks(was.unpacked.checks), checks(is.unpacked.checks));
  // Parameters of two formats have nothing to do with each other.
  if (was.format !== is.format) return;
  const parameters = (x: typeof was.unpacked) => new Map(Object.entries(x?.parameters ?? {}));
  for (const [name, x, y] of pairs(parameters(was.unpacked), parameters(is.unpacked))) {
    yield* compare("payload", name, side(x), side(y));
  }
}

function* compareKernelInfos(a: Inspection, b: Inspection): Generator<Change> {
  const [was, is] = [a.boot?.kernelInfo, b.boot?.kernelInfo];
  if (!was || !is) {
    const whole = (info: typeof was) =>
      info && side(
        { ...info.fields },
        `${info.fields.size_total} bytes, setup_data up to ` +
          kernelInfo.fields.setup_type_max.show(info.fields.setup_type_max),
      );
    yield* compare("kernel_info", "kernel_info", whole(was), whole(is));
    return;
  }
  const [left, right] = [was.fields as AnyRecord, is.fields as AnyRecord];
  for (const { path, row } of walk(kernelInfo)) {
    const values = { row, was: left[path], is: right[path] };
    yield* compareField("kernel_info", `kernel_info.${path}`, values);
  }
  const chunks = (info: typeof was) => keyed(info.chunks, ({ magic }) => `chunk "${magic}"`);
  for (const [name, x, y] of pairs(chunks(was), chunks(is))) {
    const shown = (c: typeof x) => c && side(c.data, `${c.data.length} bytes`);
    yield* compare("kernel_info", name, shown(x), shown(y));
  }
}

const crcWords = {
  ok: "holds",
  signed: "holds, less what signing filled in",
  changed: "does not hold",
  absent: "absent",
} as const;

function* compareCrcs(a: Inspection, b: Inspection): Generator<Change> {
  const status = ({ boot }: Inspection): Side | undefined =>
    boot?.crc && side(
      boot.crc.status,
      crcWords[boot.crc.status] + (boot.crc.reason ? `: ${boot.crc.reason}` : ""),
    );
  const [was, is] = [status(a), status(b)];
  if (!was || !is) return;
  yield* compare("crc", "crc", was, is, () => ({
    ...(b.boot?.crc?.status === "changed" && {
      note: "changed after it was built",
      severity: "warning" as const,
    }),
  }));
}

const told = (complaint: Complaint | undefined): Side | undefined =>
  complaint && side(complaint.message, `${complaint.severity}: ${complaint.message}`);

function* compareComplaints(a: Inspection, b: Inspection): Generator<Change> {
  const byRule = ({ complaints }: Inspection) =>
    keyed(complaints, ({ severity, rule }) => `${severity} ${rule}`);
  for (const [name, was, is] of pairs(byRule(a), byRule(b))) {
    const { severity } = is ?? was ?? { severity: "info" };
    const rule = name.slice(severity.length + 1);
    yield* compare("complaints", rule, told(was), told(is), () => ({
      severity,
      ...(!was && { meaning: `${severity} that came: ${is?.message}` }),
      ...(!is && { meaning: `${severity} that went: ${was?.message}` }),
    }));
  }
}

/** Parts of two files of one build whose bytes differ, by their names on the map. */
function* compareContents(a: Inspection, b: Inspection): Generator<Change> {
  const parts = (inspection: Inspection) => {
    const regions = imageMap(inspection).filter(({ length }) => length > 0);
    return keyed(regions, ({ name }) => name);
  };
  for (const [name, was, is] of pairs(parts(a), parts(b))) {
    const [left, right] = [
      was && a.bytes.subarray(was.offset, was.offset + was.length),
      is && b.bytes.subarray(is.offset, is.offset + is.length),
    ];
    const isLong = left && right && left.length === right.length;
    const found = isLong ? differing(left, right) : undefined;
    if (found?.count === 0) continue;
    yield* compare("contents", name, partSide(left), partSide(right), () => {
      if (!left || !right) return {};
      if (!found) return { kind: "resized", note: growth(left.length, right.length) };
      const at = hex((was?.offset ?? 0) + found.first);
      const [count, all] = [grouped(found.count), grouped(left.length)];
      return { note: `${count} of ${all} bytes differ, the first at ${at}` };
    });
  }
}

function partSide(bytes: Uint8Array | undefined): Side | undefined {
  if (!bytes) return undefined;
  const sum = crc32(bytes);
  return side(
    { length: bytes.length, crc32: sum },
    `${byteCount(bytes.length)}, CRC-32 ${hex(sum, 8)}`,
  );
}

/** How many bytes differ, and where the first is. */
function differing(
  a: Uint8Array,
  b: Uint8Array,
): { readonly count: number; readonly first: number } {
  let count = 0;
  let first = -1;
  for (let i = 0; i < a.length; i++) {
    if (a[i] === b[i]) continue;
    if (count++ === 0) first = i;
  }
  return { count, first };
}
