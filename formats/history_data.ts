/**
 * The form of the history of the zero page: what is known of a field, of a
 * protocol version, of a named bit.
 *
 * @module
 */

/** How a field's first release is known. */
export type SinceBasis = "sampled" | "documentation" | "recalled" | "recalled-within-samples";

/** A field over a span of releases: one row of the history. */
export interface HistoryRow {
  /** The structure it is in, by the kernel's name. */
  readonly struct: string;
  /** Its name. */
  readonly field: string;
  /**
   * Bytes from the start of its structure, in the setup header from the start of the
   * page; absent where it depends on the release.
   */
  readonly offset?: number;
  /** Size in bytes; absent where it depends on the release. */
  readonly size?: number;
  /** Its type, as C has it. */
  readonly type: string;
  /** First release that has it. */
  readonly since: string;
  /** Whether `since` is only the oldest release known to have it. */
  readonly orEarlier?: boolean;
  /** A release of an older series that has it too, with those after it there. */
  readonly alsoFrom?: string;
  /** Last release that has it; absent if current kernels do. */
  readonly until?: string;
  /** Only release candidates had it. */
  readonly development?: boolean;
  /** Bytes from the start of the zero page; absent outside it. */
  readonly at?: number;
  /** Boot protocol version that added it. */
  readonly protocol?: string;
  /** Which way it goes, in the words of the boot protocol. */
  readonly direction?: string;
  /** How `since` is known. */
  readonly basis: SinceBasis;
  /** A release or source that was read and lacks it. */
  readonly absentIn?: string;
  /** A release or source that was read and has it. */
  readonly presentIn?: string;
  /** The first release whose C structure has it, where the assembler was earlier. */
  readonly cStructSince?: string;
  /** Older names, each up to a release. */
  readonly renamedFrom?: readonly {
    /** The older name. */
    readonly name: string;
    /** The type it had under that name. */
    readonly type?: string;
    /** Last release with that name. */
    readonly until: string;
  }[];
  /** What else there is to know. */
  readonly note?: string;
  /** Id of the source it was read in. */
  readonly source: string;
}

/** A version of the boot protocol in the history. */
export interface HistoricProtocol {
  /** "2.15", or "old" for kernels without "HdrS". */
  readonly version: string;
  /** First release with it; absent if no release had it. */
  readonly since?: string;
  /** A release of an older series that has it too, with those after it there. */
  readonly alsoFrom?: string;
  /** Only release candidates had it. */
  readonly development?: boolean;
  /** Fields, flags and features it added. */
  readonly adds: readonly string[];
  /** Where its header ends, in bytes from the start of the page. */
  readonly headerEnd?: number;
  /** The number must not be used again. */
  readonly burnt?: boolean;
  /** What to take a burnt version for. */
  readonly treatAs?: string;
  /** How it is known. */
  readonly verified: string;
  /** What else there is to know. */
  readonly note?: string;
}

/** A named bit or value in the history. */
export interface HistoricName {
  /** Bit number, in flags. */
  readonly bit?: number;
  /** Value, in enumerations. */
  readonly value?: number;
  /** The kernel's name. */
  readonly name?: string;
  /** First release with it; absent: not known, or as old as the field. */
  readonly since?: string;
  /** Last release with it. */
  readonly until?: string;
  /** Never in mainline. */
  readonly outOfTree?: boolean;
  /** Older names, each up to a release. */
  readonly renamedFrom?: readonly { readonly name: string; readonly until: string }[];
  /** A release that was read and lacks it. */
  readonly absentIn?: string;
  /** A release that was read and has it. */
  readonly presentIn?: string;
  /** What else there is to know. */
  readonly note?: string;
}

/** Sets of named bits and values that changed over time. */
export type HistoricSet =
  | "loadflags"
  | "xloadflags"
  | "hardware_subarch"
  | "setup_data_type"
  | "e820_type"
  | "setup_type_max";

/** The form of the data. */
export interface HistoryData {
  /** What was read, by id. */
  readonly samples: Readonly<Record<string, string>>;
  /** Versions of the protocol, in order. */
  readonly protocols: readonly HistoricProtocol[];
  /** Ends of the header as sources were found to have them. */
  readonly headerSizes: readonly { readonly release: string; readonly end: number }[];
  /** Bits and values. */
  readonly enums: Readonly<Record<HistoricSet, readonly HistoricName[]>>;
  /** Fields. */
  readonly fields: readonly HistoryRow[];
}
