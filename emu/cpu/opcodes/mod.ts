/**
 * The whole opcode map.
 *
 * @module
 */

import { integerRows } from "./integer.ts";
import type { Row } from "./row.ts";
import { systemRows } from "./system.ts";
import { vectorRows } from "./vector.ts";
import { x87Rows } from "./x87.ts";

export { conditions, type Row, type RowOptions } from "./row.ts";

/** Every instruction known here, a row each; the rows are made anew with every call. */
export function opcodeMap(): readonly Row[] {
  return [...integerRows(), ...systemRows(), ...x87Rows(), ...vectorRows()];
}
