/**
 * Kernels to measure with, from the fetched images.
 *
 * @module
 */

import { inspect } from "../../core/inspection.ts";
import type { Kernel } from "../../core/kernel.ts";
import { image, readImage } from "../images/images.ts";

/** The kernel inside a fetched image; undefined, and said, where it was not fetched. */
export async function unpackedKernel(id: string): Promise<Kernel | undefined> {
  const found = image(id);
  if (!found) {
    console.log(`not fetched, so left out: ${id} (deno task images fetches it)`);
    return undefined;
  }
  return (await inspect(found.path, readImage(found))).kernel;
}
