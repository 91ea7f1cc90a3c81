/**
 * What becomes of an initramfs's members when they are unpacked one after the
 * other, as far as it can go wrong.
 *
 * Source: init/initramfs.c (`do_name`): a file whose directory is not there is
 * dropped without a word.
 *
 * @module
 */

import type { Complaint } from "../complaint.ts";
import type { CpioMember } from "./cpio.ts";
import { fileKind } from "./mode.ts";

/** Complaints of one rule beyond this number are summed up in one. */
const MOST = 8;

/** Directories that the kernel's own built-in initramfs always brings. */
const builtin = ["", "dev", "root"];

/** The part of a segment that this looks at. */
interface Unpacked {
  readonly offset: number;
  readonly kind: string;
  readonly members: readonly CpioMember[];
}

/** A path as the kernel walks it from the root: "/a/./b" is "a/b". */
function walked(name: string): string {
  return name.split("/").filter((part) => part !== "" && part !== ".").join("/");
}

/** Complaints about names, in the order of the segments. */
export function complaintsOfTree(segments: readonly Unpacked[]): readonly Complaint[] {
  const found = new Map<string, { complaints: Complaint[]; more: number; offset: number }>();
  const complain = (
    severity: Complaint["severity"],
    offset: number,
    rule: string,
    message: string,
  ) => {
    const of = found.get(rule) ?? { complaints: [], more: 0, offset };
    found.set(rule, of);
    if (of.complaints.length === MOST) of.more++;
    else of.complaints.push({ severity, offset, rule: `initramfs.${rule}`, message });
  };

  const directories = new Set(builtin);
  const files = new Set<string>();
  for (const { offset, kind, members } of segments) {
    for (const member of members) {
      const name = JSON.stringify(member.name);
      if (member.name.startsWith("/")) {
        complain("info", offset, "absolute-name", `${name} is an absolute name`);
      }
      const path = walked(member.name);
      if (path.split("/").includes("..")) {
        complain("warning", offset, "dot-dot", `${name} climbs by ".."`);
        continue;
      }
      if (member.name !== "" && fileKind(member.mode) === "unknown") {
        complain(
          "error",
          offset,
          "mode",
          `${name} is of no kind: mode 0${member.mode.toString(8)}`,
        );
      }
      const parent = path.slice(0, Math.max(0, path.lastIndexOf("/")));
      if (kind === "main" && !directories.has(parent)) {
        complain(
          "warning",
          offset,
          "no-directory",
          `${name} comes before its directory: the kernel drops it`,
        );
      }
      if (fileKind(member.mode) === "directory") {
        directories.add(path);
      } else if (files.has(path)) {
        complain("info", offset, "duplicate", `${name} comes twice, the later one holds`);
      } else {
        files.add(path);
      }
    }
  }
  return [...found].flatMap(([rule, { complaints, more, offset }]) =>
    more === 0 ? complaints : [...complaints, {
      severity: complaints[0]?.severity ?? "info",
      offset,
      rule: `initramfs.${rule}`,
      message: `${more} more of this kind`,
    }]
  );
}
