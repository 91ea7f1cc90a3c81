/**
 * SBAT: which generation of which boot component an image holds, so that
 * firmware can refuse all of a generation at once.
 *
 * The section is text, one component a line, fields parted by commas. The first
 * line is about the format itself.
 *
 * Source: shim's SBAT.md, "Generation-Based Revocation Overview".
 *
 * @module
 */

/** One line. */
export interface SbatRow {
  /** Component name, "sbat", "linux", "systemd-stub", "shim.debian", … */
  readonly component: string;
  /** Its generation, raised with every security fix; NaN if that is no number. */
  readonly generation: number;
  /** Who makes it. */
  readonly vendor: string;
  /** The vendor's name of it. */
  readonly package: string;
  /** The vendor's version of it. */
  readonly version: string;
  /** Where to ask. */
  readonly url: string;
}

/** Rows that are read; real sections have a dozen. */
const MOST_ROWS = 4096;

/**
 * Reads an SBAT text; empty lines are passed over and missing fields are "".
 *
 * @param text The section's content; a byte order mark and all from the first NUL
 *   on are left out.
 */
export function decodeSbat(text: string): SbatRow[] {
  const [told = ""] = text.replace(/^\ufeff/, "").split("\0", 1);
  const lines = told.split(/\r?\n/).filter((line) => line.trim() !== "");
  return lines.slice(0, MOST_ROWS).map((line) => {
    const [component = "", generation = "", vendor = "", name = "", version = "", ...url] = line
      .split(",").map((field) => field.trim());
    return {
      component,
      generation: /^\d+$/.test(generation) ? Number(generation) : NaN,
      vendor,
      package: name,
      version,
      url: url.join(","),
    };
  });
}
