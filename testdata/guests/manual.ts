/**
 * What the guests print that try what QEMU's translator does not check, by the
 * manual.
 *
 * Source: Intel SDM vol. 3A, 5.3 and 5.5 (limits and types), 2.5 (control
 * registers), 4.7 (error code of page faults), 6.15 (exceptions); vol. 2, RET
 * and LOCK.
 *
 * @module
 */

const said = (what: string, vector: string, error: string, digits: number, cs: string) =>
  `${what}: exception ${vector}, error ${error}, IP off by ${"0".repeat(digits)}, CS ${cs}`;

const protectedMode = (what: string, vector = "0d") => said(what, vector, "0000", 8, "0008");
const longMode = (what: string, vector: string, error = "0000") =>
  said(what, vector, error, 16, "0018");

/** By guest, in lines. */
export const manualAnswers: Readonly<Record<string, readonly string[]>> = {
  "protected checks": [
    protectedMode("through a null segment"),
    protectedMode("write to code"),
    protectedMode("beyond 16 bits"),
    protectedMode("reserved bit of CR4"),
    protectedMode("paging without protection"),
    protectedMode("lock of a load", "06"),
  ],
  "long checks": [
    `${longMode("reserved bit", "0e", "0009")}, CR2 0000000000203000`,
    longMode("stack not canonical", "0c"),
    longMode("return to no address", "0d"),
  ],
};
