/**
 * The thread that reads standard input: it sits in a blocking read and writes
 * what comes into the ring, whatever the machine's thread is doing.
 *
 * @module
 */

import { Ring } from "./ring.ts";

addEventListener("message", (event: Event) => {
  const ring = new Ring((event as MessageEvent<SharedArrayBuffer>).data);
  const bytes = new Uint8Array(4096);
  for (;;) {
    let length: number | null = null;
    try {
      length = Deno.stdin.readSync(bytes);
    } catch {
      // Closed before anybody read it: nothing is typed.
    }
    if (length === null) break;
    ring.write(bytes.subarray(0, length));
  }
  ring.end();
});
