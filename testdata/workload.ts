/**
 * What the workload of `tests/images/shell.ts` printed in QEMU 7.2 (TCG), the
 * same on Debian's 6.1 of 32 and of 64 bits with the busybox of bookworm.
 *
 * @module
 */

/** The lines of the whole workload. */
export const wholeWorkloadLines: readonly string[] = [
  "workload: start",
  "workload: a 32531",
  "workload: b 3f962c8a4943242b0999de1e65f5f536a9c47f863326e54f3fe93e365851f998 " +
  "2c624ef128279ca5b66cad7c770b93befb347b80c4611eda81b7be00496cf583 534688",
  "workload: c 2646700",
  "workload: done",
];

/** The lines of the small one. */
export const smallWorkloadLines: readonly string[] = [
  "workload: start",
  "workload: a 2949",
  "workload: b 8060aa0ac20a3e5db2b67325c98a0122f2d09a612574458225dcb9a086f87cc3 " +
  "f9e4f6a1d1d5591ac8f2fae7b117da845752b123927dfb497eb2f2e0bd1a624c 22620",
  "workload: c 2470",
  "workload: done",
];
