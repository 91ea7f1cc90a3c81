/**
 * Answers of witnesses, as they are kept.
 *
 * @module
 */

/** The content of a compressed file beside this one. */
export async function unzip(path: string): Promise<Uint8Array> {
  const file = await Deno.readFile(new URL(path, import.meta.url));
  const stream = new Blob([file]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}
