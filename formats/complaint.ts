/**
 * What is wrong with an image that still decodes.
 *
 * @module
 */

/** One finding, with the place to look at and the rule that it breaks. */
export interface Complaint {
  /**
   * `error`: breaks its format or would not work; `warning`: odd, though it may
   * work; `info`: worth knowing.
   */
  readonly severity: "error" | "warning" | "info";
  /** Bytes from the start of the file. */
  readonly offset: number;
  /** The rule, as a short lasting name such as `pe.section-beyond-file`. */
  readonly rule: string;
  /** What was needed and what was found; no full stop. */
  readonly message: string;
}
