/**
 * Reads a tar stream as it comes, so that a reader who has seen enough can stop
 * the decompressor early: a kernel package is nine tenths modules.
 *
 * Knows what dpkg-deb writes: ustar, with GNU's long names.
 *
 * @module
 */

/** One regular file. */
export interface TarMember {
  /** Its path, without a leading `.`. */
  readonly name: string;
  /** Its bytes. */
  readonly bytes: Uint8Array;
}

/**
 * The regular files of a tar stream for which `keep` says yes, in order.
 *
 * @throws {Error} If the stream ends within a member.
 */
export async function* tarMembers(
  stream: ReadableStream<Uint8Array>,
  keep: (name: string) => boolean,
): AsyncGenerator<TarMember> {
  const reader = stream.getReader();
  let chunk = new Uint8Array(0);

  /** The next `size` bytes; thrown away, and `undefined`, unless wanted. */
  async function take(size: number, want: boolean): Promise<Uint8Array | undefined> {
    const out = want ? new Uint8Array(size) : undefined;
    let filled = 0;
    while (filled < size) {
      if (chunk.length === 0) {
        const { done, value } = await reader.read();
        if (done) throw new Error(`tar stream ends ${size - filled} bytes early`);
        chunk = new Uint8Array(value);
      }
      const part = chunk.subarray(0, size - filled);
      out?.set(part, filled);
      filled += part.length;
      chunk = chunk.subarray(part.length);
    }
    return out;
  }

  let longName: string | undefined;
  try {
    while (true) {
      const header = await take(512, true);
      if (header === undefined || header.every((byte) => byte === 0)) return;
      const size = parseInt(text(header, 124, 12), 8) || 0;
      const type = text(header, 156, 1);
      const prefix = text(header, 257, 5) === "ustar" ? text(header, 345, 155) : "";
      const name = longName ?? (prefix === "" ? "" : `${prefix}/`) + text(header, 0, 100);
      const path = name.replace(/^\./, "");
      const isLongName = type === "L";
      const want = isLongName || ((type === "0" || type === "") && keep(path));
      const bytes = await take(size, want);
      await take((512 - size % 512) % 512, false);
      longName = isLongName && bytes !== undefined ? text(bytes, 0, size) : undefined;
      if (want && !isLongName && bytes !== undefined) yield { name: path, bytes };
    }
  } finally {
    await reader.cancel().catch(() => {});
  }
}

function text(bytes: Uint8Array, at: number, size: number): string {
  const field = bytes.subarray(at, at + size);
  const end = field.indexOf(0);
  return new TextDecoder().decode(end < 0 ? field : field.subarray(0, end)).trim();
}
