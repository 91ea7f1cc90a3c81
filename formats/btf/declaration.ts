/**
 * Types as C writes them.
 *
 * C wraps a declaration around its name: in `int (*fn[4])(void)` one reads from
 * `fn` outwards, array of 4, pointer, function, int. BTF holds the same from
 * the outside in, so the text is built around the name while following the
 * chain of types, and what stands alone at its end goes in front.
 *
 * @module
 */

import { FormatError } from "../errors.ts";
import type { BtfType } from "./types.ts";

/** What is needed of a BTF here; the class `Btf` has it. */
export interface Types {
  /** Decodes a type. */
  type(id: number): BtfType;
  /** The type under typedefs and qualifiers. */
  resolve(id: number): BtfType;
  /** Bytes a value of the type takes. */
  sizeOf(id: number): number;
}

/** A declaration in two parts, so that they can stand in columns. */
export interface Declaration {
  /** The type and its stars: `struct page *`, `void`. */
  readonly type: string;
  /** The rest: `mem_map`, `(*fn)(int)`, `buf[16]`; empty for a type alone. */
  readonly declarator: string;
}

/** How many pointers, arrays, functions and qualifiers one declaration may have. */
const MAX_STEPS = 64;
/** How deep prototypes may stand in the parameters of prototypes. */
const MAX_DEPTH = 8;
/** Where a text becomes too long to be anybody's declaration. */
const MAX_TEXT = 1 << 16;

/**
 * Declares `name` to be of a type.
 *
 * @param name Empty for the type alone.
 * @throws {FormatError} If the type is circular, absurdly long or leads nowhere.
 */
export function declaration(types: Types, id: number, name: string, depth = 0): Declaration {
  const fail = (problem: string): never => {
    throw new FormatError({ structure: "btf_type", field: `[${id}]`, offset: 0 }, problem);
  };
  if (depth > MAX_DEPTH) fail(`nests prototypes more than ${MAX_DEPTH} deep`);
  let declarator = name;
  let stars = "";
  let qualifiers = "";
  let tags = "";
  let at = id;
  // Stars stay apart from the name until something binds tighter than they do.
  const close = () => {
    declarator = stars === "" ? declarator : `(${stars}${declarator})`;
    stars = "";
  };
  for (let step = 0; step < MAX_STEPS; step++) {
    if (declarator.length > MAX_TEXT) fail("makes a declaration of over 64 KiB");
    const type = types.type(at);
    switch (type.kind) {
      case "CONST":
      case "VOLATILE":
      case "RESTRICT": {
        // A typeof of something const made const again is const twice.
        const word = `${type.kind.toLowerCase()} `;
        if (!qualifiers.includes(word)) qualifiers = word + qualifiers;
        at = type.type;
        continue;
      }
      case "TYPE_TAG":
        // The kernel's own spelling of its tags is __user, __rcu, __percpu.
        tags = `__${type.name} ${tags}`;
        at = type.type;
        continue;
      case "PTR":
        stars = `*${qualifiers}${tags}${stars}`;
        qualifiers = "";
        tags = "";
        at = type.type;
        continue;
      case "ARRAY":
        close();
        declarator += `[${type.elements}]`;
        at = type.type;
        continue;
      case "FUNC":
        at = type.type;
        continue;
      case "FUNC_PROTO":
        close();
        declarator += `(${parameters(types, type, depth)})`;
        at = type.type;
        continue;
      default: {
        return { type: `${qualifiers}${typeName(type)} ${tags}${stars}`.trimEnd(), declarator };
      }
    }
  }
  return fail(`is made of more than ${MAX_STEPS} types`);
}

function parameters(types: Types, type: BtfType & { kind: "FUNC_PROTO" }, depth: number): string {
  const last = type.parameters.length - 1;
  let text = "";
  for (const [i, { type: id, name }] of type.parameters.entries()) {
    const isRest = i === last && id === 0 && name === "";
    const parameter = isRest ? "..." : plain(declaration(types, id, "", depth + 1));
    text += i === 0 ? parameter : `, ${parameter}`;
    if (text.length > MAX_TEXT) {
      throw new FormatError(
        { structure: "btf_type", field: `[${type.id}]`, offset: 0 },
        "makes a declaration of over 64 KiB",
      );
    }
  }
  return text || "void";
}

/** A declaration in one line. */
export function plain({ type, declarator }: Declaration): string {
  if (declarator === "") return type;
  return type.endsWith("*") || declarator.startsWith("[")
    ? `${type}${declarator}`
    : `${type} ${declarator}`;
}

/** The name of a type that ends a chain: `struct page`, `unsigned int`. */
function typeName(type: BtfType): string {
  switch (type.kind) {
    case "VOID":
      return "void";
    case "STRUCT":
    case "UNION":
      return `${type.kind.toLowerCase()} ${type.name || "{ ... }"}`;
    case "ENUM":
    case "ENUM64":
      return `enum ${type.name || "{ ... }"}`;
    case "FWD":
      return `${type.of} ${type.name}`;
    default:
      return type.name;
  }
}
