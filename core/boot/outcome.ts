/**
 * How a run ended.
 *
 * @module
 */

/** How a run ended. */
export type Outcome =
  /** The guest switched the machine off. */
  | { readonly kind: "power-off" }
  /** The guest reset the machine. */
  | { readonly kind: "reset" }
  /** The processor waits with interrupts off; `clean` if the guest said that it would. */
  | { readonly kind: "halted"; readonly clean: boolean }
  /** The guest wrote to the debug exit; the code is odd, 1 for success. */
  | { readonly kind: "exit"; readonly code: number }
  /** The processor shut down: no exception handler was left to call. */
  | { readonly kind: "triple-fault" }
  /** The kernel panicked. */
  | { readonly kind: "panic"; readonly message: string }
  /** The text that was waited for has come. */
  | { readonly kind: "matched"; readonly text: string }
  /** A limit was reached. */
  | { readonly kind: "limit"; readonly of: "instructions" | "time" }
  /** The place where it was to stop was reached. */
  | { readonly kind: "address"; readonly address: number }
  /** Whoever watches has had enough. */
  | { readonly kind: "left" }
  /** The program was interrupted. */
  | { readonly kind: "interrupted" };

/** What a run was asked for, as far as success depends on it. */
export interface Asked {
  /** A text was waited for. */
  readonly until?: boolean;
}

/**
 * Whether a run did what it was to do. A text that was waited for and did not
 * come is a failure, however well the guest ended.
 */
export function isSuccess(outcome: Outcome, asked: Asked = {}): boolean {
  switch (outcome.kind) {
    case "matched":
    case "address":
    case "left":
      return true;
    case "power-off":
    case "reset":
      return asked.until !== true;
    case "halted":
      return outcome.clean && asked.until !== true;
    case "exit":
      return outcome.code === 1 && asked.until !== true;
    default:
      return false;
  }
}

/** How it ended, in words; no full stop. */
export function showOutcome(outcome: Outcome): string {
  switch (outcome.kind) {
    case "power-off":
      return "powered off";
    case "reset":
      return "reset by the guest";
    case "halted":
      return outcome.clean ? "halted" : "halted with interrupts off";
    case "exit":
      return `debug exit with code ${outcome.code}`;
    case "triple-fault":
      return "triple fault";
    case "panic":
      return `kernel panic: ${outcome.message}`;
    case "matched":
      return `printed ${JSON.stringify(outcome.text)}`;
    case "limit":
      return outcome.of === "time" ? "time limit reached" : "instruction limit reached";
    case "address":
      return `reached 0x${BigInt.asUintN(64, BigInt(outcome.address)).toString(16)}`;
    case "left":
      return "left";
    case "interrupted":
      return "interrupted";
  }
}
