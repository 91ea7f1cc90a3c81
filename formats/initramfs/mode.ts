/**
 * The mode word of a file: its kind in the upper four bits, its permissions in
 * the lower twelve.
 *
 * Source: include/uapi/linux/stat.h; the letters are those of `ls -l`, POSIX.
 *
 * @module
 */

/** What kind of file the upper bits of a mode say. */
export type FileKind =
  | "regular file"
  | "directory"
  | "symbolic link"
  | "character device"
  | "block device"
  | "fifo"
  | "socket"
  | "unknown";

const kinds: Readonly<Record<number, readonly [kind: FileKind, letter: string]>> = {
  0o140000: ["socket", "s"],
  0o120000: ["symbolic link", "l"],
  0o100000: ["regular file", "-"],
  0o060000: ["block device", "b"],
  0o040000: ["directory", "d"],
  0o020000: ["character device", "c"],
  0o010000: ["fifo", "p"],
};

/** The bits of a mode that tell the kind of file, S_IFMT. */
export const S_IFMT = 0o170000;
/** A regular file. */
export const S_IFREG = 0o100000;
/** A directory. */
export const S_IFDIR = 0o040000;
/** A symbolic link. */
export const S_IFLNK = 0o120000;
/** A character device. */
export const S_IFCHR = 0o020000;
/** A block device. */
export const S_IFBLK = 0o060000;

/** The kind of file that a mode stands for. */
export function fileKind(mode: number): FileKind {
  return kinds[mode & S_IFMT]?.[0] ?? "unknown";
}

/** A mode as `ls -l` prints it: 0o100755 is "-rwxr-xr-x". */
export function showMode(mode: number): string {
  const letter = kinds[mode & S_IFMT]?.[1] ?? "?";
  const three = (bits: number, special: boolean, mark: string) =>
    (bits & 4 ? "r" : "-") + (bits & 2 ? "w" : "-") +
    (special ? (bits & 1 ? mark : mark.toUpperCase()) : bits & 1 ? "x" : "-");
  return letter +
    three(mode >> 6 & 7, (mode & 0o4000) !== 0, "s") +
    three(mode >> 3 & 7, (mode & 0o2000) !== 0, "s") +
    three(mode & 7, (mode & 0o1000) !== 0, "t");
}
