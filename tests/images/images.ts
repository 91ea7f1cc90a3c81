/**
 * The real images that `deno task images` fetched, as the tests see them.
 *
 * Where they are missing the tests that need them are skipped and say so.
 *
 * @module
 */

import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import type { Kind } from "./wanted.ts";

/** One file of the manifest. */
export interface FetchedImage {
  /** Identifier from the table in `wanted.ts`, such as `linux-6.1-686`. */
  readonly id: string;
  /** What sort of thing it is. */
  readonly kind: Kind;
  /** The Debian package it came in. */
  readonly package: string;
  /** The package's version. */
  readonly version: string;
  /** The package's architecture. */
  readonly architecture: string;
  /** The release it was taken from, by code name. */
  readonly suite: string;
  /** Where it is; absolute, and relative to the cache in the file itself. */
  readonly path: string;
  /** Size in bytes. */
  readonly size: number;
  /** SHA-256 in hexadecimal. */
  readonly sha256: string;
  /** What it is, in a few words. */
  readonly what: string;
}

/** The manifest as it is stored. */
export interface Manifest {
  /** Version of this layout. */
  readonly schema: 1;
  /** All files in the cache, in the order of `wanted.ts`. */
  readonly images: readonly FetchedImage[];
}

/** The cache: `.images` beside deno.json, or where ZEROPAGE_IMAGES says. */
export function imagesFolder(): string {
  const named = Deno.env.get("ZEROPAGE_IMAGES");
  return named ? resolve(named) : fileURLToPath(new URL("../../.images", import.meta.url));
}

/** All fetched images; none where nothing was fetched. */
export function images(folder: string = imagesFolder()): readonly FetchedImage[] {
  let manifest: Manifest;
  try {
    manifest = JSON.parse(Deno.readTextFileSync(join(folder, "manifest.json")));
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    throw error;
  }
  return manifest.images.map((image) => ({ ...image, path: join(folder, image.path) }));
}

/** The image of that name, if it was fetched. */
export function image(id: string, folder: string = imagesFolder()): FetchedImage | undefined {
  return images(folder).find((one) => one.id === id);
}

/** A kernel's own configuration, `image("linux-6.1-686")`'s for one. */
export function configOf(of: FetchedImage): FetchedImage | undefined {
  return image(`${of.id}.config`);
}

/** The bytes of an image. */
export function readImage(of: FetchedImage): Uint8Array<ArrayBuffer> {
  return Deno.readFileSync(of.path);
}

/**
 * A test that needs these images, by their ids; it is skipped, and says which
 * are missing, where they were not fetched.
 */
export function withImages(
  name: string,
  ids: readonly string[],
  test: (images: readonly FetchedImage[], t: Deno.TestContext) => void | Promise<void>,
): void {
  const all = images();
  const found = ids.flatMap((id) => all.find((one) => one.id === id) ?? []);
  const missing = ids.filter((id) => !found.some((one) => one.id === id));
  skippable(name, missing, (t) => test(found, t));
}

/**
 * A test with one step for every fetched image of these kinds; it is skipped,
 * and says so, where there is none.
 */
export function forEachImage(
  name: string,
  kinds: readonly Kind[],
  test: (image: FetchedImage, t: Deno.TestContext) => void | Promise<void>,
): void {
  const found = images().filter((one) => kinds.includes(one.kind));
  skippable(name, found.length > 0 ? [] : kinds, async (t) => {
    for (const one of found) await t.step(one.id, (step) => test(one, step));
  });
}

function skippable(
  name: string,
  missing: readonly string[],
  fn: (t: Deno.TestContext) => void | Promise<void>,
): void {
  if (missing.length === 0) {
    Deno.test(name, fn);
  } else {
    const why = `skipped: deno task images has not fetched ${missing.join(", ")}`;
    Deno.test({ name: `${name} (${why})`, ignore: true, fn });
  }
}
