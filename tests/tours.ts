/**
 * Tours: comments that, read in order, tell the story of a boot.
 *
 * A stop is a line comment that starts with `Tour`, the tour's name and a
 * number, then a blank comment line and the prose; the code under it belongs to
 * the stop. Numbers order the stops across files, and leave room between.
 *
 * @module
 */

/** All tours, and what the traveller sees on each. */
export const tours = {
  image: "a file on disk: boot sector, setup header, payload, signature",
  payload: "out of the compressor: ELF, program headers, notes, relocations",
  handover: "the zero page filled in, and the platform type that decides",
  machine: "registers, memory and devices as the kernel expects them",
  guest: "what the kernel does with all that, trap by trap",
  timeline: "how a boot is measured, drawn and compared",
} as const;

/** One stop. */
export interface Stop {
  /** The tour, by its name in {@link tours} if all is well. */
  readonly tour: string;
  /** Its place in the tour. */
  readonly number: number;
  /** The file, by its path in the repository. */
  readonly path: string;
  /** The heading's line, counted from 1. */
  readonly line: number;
  /** The comment, without slashes. */
  readonly prose: string;
  /** The code under it, less the indentation they share. */
  readonly code: string;
}

const heading = /^(\s*)\/\/ Tour (\S+) (\d+)\s*$/;

/** The stops in a file, in its order. */
export function stopsIn(path: string, content: string): Stop[] {
  const lines = content.split("\n");
  return lines.flatMap((text, at) => {
    const match = heading.exec(text);
    if (match === null) return [];
    const [, indent = "", tour = "", number = ""] = match;
    let end = at + 1;
    while (/^\s*\/\/(?!\s*Tour \S+ \d+\s*$)/.test(lines[end] ?? "")) end++;
    const prose = lines.slice(at + 1, end).map((l) => l.replace(/^\s*\/\/ ?/, ""));
    return [{
      tour,
      number: Number(number),
      path,
      line: at + 1,
      prose: prose.join("\n").trim(),
      code: codeUnder(lines.slice(end), indent.length),
    }];
  });
}

/** Lines up to a gap that is not inside of what they started. */
function codeUnder(lines: readonly string[], indent: number): string {
  const taken: string[] = [];
  for (const [i, line] of lines.entries()) {
    const next = lines.slice(i).find((l) => l.trim() !== "") ?? "";
    const depth = next.length - next.trimStart().length;
    if (line.trim() === "" && depth <= indent) break;
    if (depth < indent || heading.test(line)) break;
    taken.push(line.slice(indent));
  }
  return taken.join("\n").trimEnd();
}

/** A tour's stops in order. */
export function inOrder(stops: readonly Stop[], tour: string): Stop[] {
  return stops.filter((stop) => stop.tour === tour).sort((a, b) => a.number - b.number);
}

/** What is wrong with stops, a sentence each. */
export function complaints(stops: readonly Stop[]): string[] {
  const seen = new Map<string, Stop>();
  return stops.flatMap((stop) => {
    const where = `${stop.path}:${stop.line}`;
    const name = `${stop.tour} ${stop.number}`;
    const wrong: string[] = [];
    if (!Object.hasOwn(tours, stop.tour)) wrong.push(`${where}: there is no tour ${stop.tour}`);
    const first = seen.get(name);
    if (first !== undefined) {
      wrong.push(`${where}: ${name} is at ${first.path}:${first.line} already`);
    }
    seen.set(name, stop);
    if (stop.prose === "") wrong.push(`${where}: ${name} says nothing`);
    if (stop.code === "") wrong.push(`${where}: ${name} has no code under it`);
    return wrong;
  });
}
