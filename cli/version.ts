/**
 * The version of all commands, the one in deno.json (a test holds them equal).
 *
 * @module
 */

/** The release. */
export const version = "0.1.0";
