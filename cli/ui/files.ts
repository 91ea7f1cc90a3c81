/**
 * Files in, files out, with one clear line for whatever goes wrong.
 *
 * @module
 */

import type { Span } from "../../core/closed_payload.ts";
import { FormatError } from "../../formats/errors.ts";
import { CommandError, InputError, UsageError } from "./errors.ts";
import type { Terminal } from "./terminal.ts";

export { InputError, UsageError } from "./errors.ts";

/** A file that was read. */
export interface Input {
  /** As the user named it; "-" for standard input. */
  readonly path: string;
  /** All of it. */
  readonly bytes: Uint8Array;
}

/**
 * Reads a whole file, or standard input for "-".
 *
 * @param stdin The stream behind "-", by default the process's; it can be read once.
 * @param skip What need not be read; zeros take its place.
 * @throws {InputError} If there is no such file, it is a directory or a device,
 *   or may not be read.
 * @throws {UsageError} If "-" is asked for a second time.
 */
export async function readInput(
  path: string,
  stdin?: ReadableStream<Uint8Array>,
  skip?: Skip,
): Promise<Input> {
  // Asked for only here: merely to have the stream at hand costs 10 ms.
  if (path === "-") return { path, bytes: await readStream(stdin ?? Deno.stdin.readable) };
  try {
    // Not awaited, so that the reading has begun when whoever asked goes on.
    const stat = Deno.statSync(path);
    // A terminal or a disk has no end worth waiting for.
    if (stat.isCharDevice || stat.isBlockDevice) {
      throw new InputError(path, "is a device", [
        `Pipe what is wanted of it: head -c 64M ${path} | bootinfo -`,
      ]);
    }
    if (stat.isDirectory) throw new InputError(path, "is a directory");
    return { path, bytes: await readFile(path, stat.isFile ? stat.size : 0, skip) };
  } catch (error) {
    throw fileError(path, error, "read");
  }
}

/**
 * Reads a file straight into the memory that it stays in: `Deno.readFile` reads
 * and then copies, which for a kernel is as much again.
 *
 * @param size What the system says of its size; 0 where it does not know.
 */
async function readFile(path: string, size: number, skip?: Skip): Promise<Uint8Array> {
  if (size === 0) return await Deno.readFile(path);
  using file = Deno.openSync(path);
  const bytes = new Uint8Array(size);
  let done = file.readSync(bytes.subarray(0, headSize)) ?? 0;
  const span = skip?.(bytes.subarray(0, done), size);
  while (done < size) {
    if (span && done >= span.start && done < span.end) {
      done = file.seekSync(span.end, Deno.SeekMode.Start);
    }
    const part = bytes.subarray(done, span && done < span.start ? span.start : size);
    // A short read is over before another thread would have begun it.
    const read = span ? file.readSync(part) : await file.read(part);
    if (read === null) break;
    done += read;
  }
  // It grew, or the size was a guess, as in /sys.
  if (done === size && file.readSync(new Uint8Array(1)) !== null) return await Deno.readFile(path);
  return done < size ? bytes.slice(0, done) : bytes;
}

/** What is read at once, to tell by it what to skip, in bytes. */
const headSize = 1 << 16;

/** Tells by the head of a file, and its size, what of it need not be read. */
export type Skip = (head: Uint8Array, size: number) => Span | undefined;

/** Reads files, as {@link readInput} does. */
export type Reader = (path: string) => Promise<Input>;

/**
 * Starts to read a file while something else is done, such as loading what is
 * to look at it.
 *
 * @returns A reader that has this file's bytes sooner; whatever went wrong with
 *   it is told to who asks for it, and only then.
 */
export function readAhead(path: string | undefined, skip?: Skip): Reader {
  const read = (path: string) => readInput(path, undefined, skip);
  // Nobody may ever ask for standard input, and what was read of it is gone.
  if (path === undefined || path === "-") return read;
  let ahead: Promise<Input> | undefined = read(path);
  ahead.catch(() => {});
  return (wanted) => {
    const first = wanted === path ? ahead : undefined;
    // Let go, so that the bytes of many files do not add up.
    if (first) ahead = undefined;
    return first ?? read(wanted);
  };
}

async function readStream(stdin: ReadableStream<Uint8Array>): Promise<Uint8Array> {
  // The reader is never released, so the stream itself remembers that it was read.
  if (stdin.locked) throw new UsageError('standard input ("-") can be read only once');
  const reader = stdin.getReader();
  const chunks: Uint8Array[] = [];
  let size = 0;
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      chunks.push(value);
      size += value.length;
    }
    const bytes = new Uint8Array(size);
    let at = 0;
    for (const chunk of chunks) {
      bytes.set(chunk, at);
      at += chunk.length;
    }
    return bytes;
  } catch (error) {
    throw fileError("-", error, "read");
  }
}

/**
 * Writes a result to a file, or to standard output for "-".
 *
 * A regular file is replaced as a whole: readers see the old one or the new
 * one, never half of it, and a full disk leaves the old one as it was.
 *
 * @throws {UsageError} If the bytes are not text and "-" is a terminal.
 * @throws {InputError} If the file cannot be written.
 */
export async function writeOutput(
  path: string,
  bytes: Uint8Array,
  terminal: Terminal,
): Promise<void> {
  if (path === "-") {
    if (terminal.outIsTerminal && !isText(bytes)) {
      throw new UsageError("will not write binary data to a terminal", [
        "Name a file with -o FILE, or pipe the output.",
      ]);
    }
    terminal.outBytes(bytes);
    return;
  }
  let target = path;
  let mode: number | undefined;
  try {
    const stat = await Deno.stat(path);
    if (stat.isDirectory) throw new InputError(path, "is a directory");
    // A pipe or a device is written to, not replaced.
    if (!stat.isFile) return await Deno.writeFile(path, bytes, { create: false });
    // The file behind a symbolic link is replaced, not the link.
    target = await Deno.realPath(path);
    mode = stat.mode ?? undefined;
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw fileError(path, error, "written");
  }
  const half = `${target}.${Deno.pid}.part`;
  try {
    await Deno.writeFile(half, bytes, {
      createNew: true,
      ...mode === undefined ? {} : { mode: mode & 0o7777 },
    });
    await Deno.rename(half, target);
  } catch (error) {
    await Deno.remove(half).catch(() => {});
    // The folder may be closed to us though the file is open: then in place.
    if (mode !== undefined && error instanceof Deno.errors.PermissionDenied) {
      return await Deno.writeFile(target, bytes, { create: false }).catch((inPlace) => {
        throw fileError(path, inPlace, "written");
      });
    }
    throw fileError(path, error, "written");
  }
}

/** Whether a terminal may be shown the bytes: UTF-8 without control characters. */
export function isText(bytes: Uint8Array): boolean {
  for (const byte of bytes) {
    if (byte < 0x20 && byte !== 0x09 && byte !== 0x0a && byte !== 0x0d || byte === 0x7f) {
      return false;
    }
  }
  try {
    new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    return true;
  } catch {
    return false;
  }
}

/**
 * Names the file in a format's error, so that of several images the right one
 * is blamed.
 *
 * @throws {InputError} In place of a `FormatError`; others pass as they are.
 */
export function about<T>(path: string, work: () => T): T {
  try {
    const result = work();
    return result instanceof Promise
      ? result.catch((error) => {
        throw blame(path, error);
      }) as T
      : result;
  } catch (error) {
    throw blame(path, error);
  }
}

function blame(path: string, error: unknown): unknown {
  return error instanceof FormatError
    ? new InputError(path, error.message, [], { cause: error })
    : error;
}

function fileError(path: string, error: unknown, verb: "read" | "written"): unknown {
  if (error instanceof CommandError) return error;
  const flag = verb === "read" ? "read" : "write";
  const of = (problem: string) => new InputError(path, problem, [], { cause: error });
  if (error instanceof Deno.errors.NotFound) {
    return of(verb === "read" ? "no such file" : "no such folder");
  }
  if (error instanceof Deno.errors.IsADirectory) return of("is a directory");
  if (error instanceof Deno.errors.NotADirectory) return of("a part of the path is not a folder");
  if (error instanceof Deno.errors.PermissionDenied) return of(`may not be ${verb}`);
  if (error instanceof Deno.errors.NotCapable) {
    // Files of /proc and /sys: no --allow-read opens them, only --allow-all. Standard input needs
    // neither.
    if (/--allow-all/.test(error.message)) {
      const hint = verb === "read" ? [`Hand it over instead: bootinfo - < ${path}`] : [];
      const problem = `may not be ${verb}: Deno guards it, whatever else is allowed`;
      return new InputError(path, problem, hint, { cause: error });
    }
    return of(`may not be ${verb}: Deno was started without --allow-${flag}`);
  }
  if (error instanceof RangeError) return of("is too large for this machine's memory");
  // What is left comes from the system: a full disk, a failing drive, a loop of links.
  if (error instanceof Error && "code" in error || error instanceof Deno.errors.FilesystemLoop) {
    return of(`cannot be ${verb}: ${(error as Error).message.replace(/ \(os error \d+\).*$/, "")}`);
  }
  return error;
}
