/**
 * The zero page that this machine's own kernel was handed.
 *
 * @module
 */

const path = "/sys/kernel/boot_params/data";

/**
 * The 4096 bytes; undefined where the kernel shows none. Read by way of cat(1),
 * since Deno keeps /sys to programs that may do everything.
 */
export function ownZeroPage(): Uint8Array | undefined {
  try {
    const { success, stdout } = new Deno.Command("cat", { args: [path], stderr: "null" })
      .outputSync();
    return success ? stdout : undefined;
  } catch {
    return undefined;
  }
}

/** What a test that needs it says in its name where there is none. */
export const noOwnPage = ` (skipped: no ${path} to be read)`;
