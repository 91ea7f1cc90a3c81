/**
 * The one error of the formats: the bytes are not what the format says.
 *
 * Structure, field, offset, what was needed, what was found, in that order and
 * in one line, so that the reader can open a hex dump at the spot.
 *
 * @module
 */

/** Where in the input something is wrong. */
export interface Place {
  /** The structure being read, by its kernel name where it has one. */
  readonly structure: string;
  /** The field within the structure; absent where the whole structure is meant. */
  readonly field?: string;
  /** Bytes from the start of the input that was decoded. */
  readonly offset: number;
}

/** The bytes are not what the format says they must be. */
export class FormatError extends SyntaxError {
  /** Names the error in messages. */
  override name = "FormatError";
  /** Where it went wrong, as data. */
  readonly place: Place;
  /** What is wrong there, without the place. */
  readonly problem: string;

  /**
   * Something wrong at a place.
   *
   * @param place Structure, field and offset in bytes.
   * @param problem What was needed and what was found; no full stop.
   */
  constructor(place: Place, problem: string, options?: ErrorOptions) {
    const at = place.field ? `${place.structure}.${place.field}` : place.structure;
    super(`${at} at ${hex(place.offset)}: ${problem}`, options);
    this.place = place;
    this.problem = problem;
  }
}

/** A number as C writes it in hexadecimal, padded to `digits`. */
export function hex(value: number | bigint, digits = 1): string {
  return `0x${value.toString(16).padStart(digits, "0")}`;
}

/**
 * Holds that `size` bytes at `offset` lie within the input.
 *
 * @throws {FormatError} With what was needed and where the input ends.
 */
export function need(
  bytes: Uint8Array,
  place: Place,
  size: number,
): void {
  if (place.offset < 0 || place.offset + size > bytes.length) {
    throw new FormatError(
      place,
      `needs ${size} ${size === 1 ? "byte" : "bytes"}, the input ends at ${hex(bytes.length)}`,
    );
  }
}
