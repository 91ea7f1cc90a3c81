/**
 * Device trees as files: a plain DTB, and a FIT image, which is a tree whose
 * nodes carry images, their hashes, and the configurations that go together.
 *
 * Source: "Flat Image Tree Specification" v0.8; U-Boot doc/usage/fit.
 *
 * @module
 */

import { crc32 } from "../crc32.ts";
import { hex } from "../errors.ts";
import {
  child,
  decodeFdt,
  type Fdt,
  fdtHeader,
  type FdtNode,
  numberOf,
  property,
  showProperty,
  textOf,
} from "./fdt.ts";
import { type Field, field, fieldsOf, type Finding, hexOf, showSize, showTime } from "./finding.ts";

/** Most images, configurations and hashes that are listed. */
const MOST = 100;

/** Says what a device tree is: a FIT image if it has `/images`, else a DTB. */
export function findFdt(bytes: Uint8Array, size: number): Finding {
  const fdt = decodeFdt(bytes);
  const images = child(fdt.root, "images");
  return images === undefined ? findDtb(fdt) : findFit(fdt, images, bytes, size);
}

function count(node: FdtNode): number {
  return node.children.reduce((n, below) => n + count(below), 1);
}

function findDtb(fdt: Fdt): Finding {
  const model = textOf(fdt.root, "model") ?? textOf(fdt.root, "compatible");
  const chosen = child(fdt.root, "chosen");
  const bootargs = chosen && textOf(chosen, "bootargs");
  return {
    kind: "DTB",
    title: `Device tree blob version ${fdt.header.version}${model ? `, ${model}` : ""}`,
    fields: [
      ...fieldsOf(fdtHeader, fdt.header),
      field("nodes", count(fdt.root)),
      field("reserved", fdt.reserved.length),
      ...(bootargs === undefined ? [] : [field("chosen.bootargs", bootargs)]),
      ...fdt.root.properties.slice(0, MOST).map((p) =>
        field(p.name, hexOf(p.value.subarray(0, 64)), showProperty(p))
      ),
    ],
    hint: "a description of a machine, not a kernel: dtc -I dtb -O dts shows it whole",
    complaints: fdt.complaints,
  };
}

function counted(n: number, thing: string): string {
  return `${n} ${thing}${n === 1 ? "" : "s"}`;
}

/** Where an image's data is: in the tree, or behind it by offset or position. */
function dataOf(image: FdtNode, fdt: Fdt, bytes: Uint8Array): Uint8Array | undefined {
  const inside = property(image, "data")?.value;
  if (inside !== undefined) return inside;
  const size = Number(numberOf(image, "data-size") ?? 0);
  const position = numberOf(image, "data-position");
  const offset = numberOf(image, "data-offset");
  const start = position !== undefined
    ? Number(position)
    : offset !== undefined
    ? Math.ceil(fdt.header.totalsize / 4) * 4 + Number(offset)
    : undefined;
  return start !== undefined && start + size <= bytes.length
    ? bytes.subarray(start, start + size)
    : undefined;
}

function findFit(fdt: Fdt, images: FdtNode, bytes: Uint8Array, size: number): Finding {
  const fields: Field[] = [];
  const complaints = [...fdt.complaints];
  // Nodes of a damaged tree may all claim the same bytes: sum up no more than twice the file.
  let budget = 2 * bytes.length;
  const description = textOf(fdt.root, "description");
  const timestamp = numberOf(fdt.root, "timestamp");
  if (description !== undefined) fields.push(field("description", description));
  if (typeof timestamp === "number") {
    fields.push(field("timestamp", timestamp, showTime(timestamp)));
  }
  for (const image of images.children.slice(0, MOST)) {
    const at = `images.${image.name}`;
    for (const name of ["description", "type", "os", "arch", "compression"]) {
      const text = textOf(image, name);
      if (text !== undefined) fields.push(field(`${at}.${name}`, text));
    }
    for (const name of ["load", "entry"]) {
      const number = numberOf(image, name);
      if (number !== undefined) fields.push(field(`${at}.${name}`, number, hex(number)));
    }
    const data = dataOf(image, fdt, bytes);
    if (data !== undefined) fields.push(field(`${at}.data`, data.length, showSize(data.length)));
    else {
      complaints.push({
        severity: size > bytes.length ? "info" : "warning",
        offset: 0,
        rule: "fit.no-data",
        message: `the data of ${image.name} is not in what was read`,
      });
    }
    for (const hash of image.children.slice(0, MOST)) {
      if (!/^(hash|signature)/.test(hash.name)) continue;
      const algorithm = textOf(hash, "algo") ?? "?";
      const value = property(hash, "value")?.value ?? new Uint8Array();
      const isCrc = algorithm === "crc32" && value.length === 4 && data !== undefined &&
        data.length <= budget;
      if (isCrc) budget -= data.length;
      const sum = isCrc ? crc32(data) : 0;
      const holds = hexOf(value) === sum.toString(16).padStart(8, "0");
      fields.push(
        field(
          `${at}.${hash.name}`,
          hexOf(value),
          `${algorithm}${isCrc ? holds ? ", holds" : ", wrong" : ""}`,
        ),
      );
      if (isCrc && !holds) {
        complaints.push({
          severity: "error",
          offset: 0,
          rule: "fit.crc32",
          message: `the CRC-32 of ${image.name} is ${hex(sum, 8)}, not ${hexOf(value)}`,
        });
      }
    }
  }
  const configurations = child(fdt.root, "configurations");
  if (configurations !== undefined) {
    const byDefault = textOf(configurations, "default");
    if (byDefault !== undefined) fields.push(field("configurations.default", byDefault));
    for (const configuration of configurations.children.slice(0, MOST)) {
      for (const { name } of configuration.properties.slice(0, MOST)) {
        const text = textOf(configuration, name);
        if (text !== undefined) {
          fields.push(field(`configurations.${configuration.name}.${name}`, text));
        }
      }
    }
  }
  const architectures = new Set(images.children.flatMap((i) => textOf(i, "arch") ?? []));
  return {
    kind: "FIT",
    title: `U-Boot FIT image${description ? `, ${description}` : ""}, ` +
      `${counted(images.children.length, "image")}, ` +
      counted(configurations?.children.length ?? 0, "configuration"),
    fields,
    hint: architectures.has("x86") || architectures.has("x86_64")
      ? "take the kernel out with dumpimage and look at that"
      : `images for ${[...architectures].join(", ") || "no architecture named"}: not x86`,
    complaints,
  };
}
