/**
 * The repository's own files, for tests that read them.
 *
 * @module
 */

import { fileURLToPath } from "node:url";

/** Folder of the repository, absolute, without a slash at the end. */
export const root: string = fileURLToPath(new URL("..", import.meta.url)).replace(/[/\\]$/, "");

/** Folders that are no part of the repository. */
const outside = new Set([".git", ".images", ".cache", "node_modules", "coverage"]);

/**
 * Paths of the repository's files, sorted, with `/` between folders.
 *
 * @param ends How the name ends; all files if not given.
 */
export function files(ends = "", folder = ""): string[] {
  const found: string[] = [];
  for (const entry of Deno.readDirSync(`${root}/${folder}`)) {
    const path = folder === "" ? entry.name : `${folder}/${entry.name}`;
    if (entry.isDirectory && !outside.has(entry.name)) found.push(...files(ends, path));
    if (entry.isFile && path.endsWith(ends)) found.push(path);
  }
  return found.sort();
}

/** A file's text, by its path in the repository. */
export function read(path: string): string {
  return Deno.readTextFileSync(`${root}/${path}`);
}
