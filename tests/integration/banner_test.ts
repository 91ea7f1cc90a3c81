/**
 * The version string that a loader sees is the banner that the kernel prints:
 * the same release, builder, build number and date, with the compiler between.
 *
 * @module
 */

import assert from "node:assert/strict";
import { inspect } from "../../core/inspection.ts";
import { forEachImage, readImage } from "../images/images.ts";

forEachImage("a Linux image's version string is its banner", ["linux"], async (image) => {
  const { boot, kernel } = await inspect(image.path, readImage(image));
  const { text, release } = boot?.versionString ?? assert.fail("no version string");
  const banner = kernel?.banner ?? assert.fail("no banner");
  assert.equal(banner.release, release);
  const builder = / \([^)]*\)/.exec(text)?.[0] ?? "";
  const rest = text.slice(release.length + builder.length);
  assert.ok(banner.text.startsWith(`Linux version ${release}${builder} (`), banner.text);
  assert.ok(banner.text.endsWith(rest), `${banner.text} does not end in ${rest}`);
});
