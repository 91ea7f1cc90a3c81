/**
 * Zeropage as a library: open Linux/x86 kernel images, read everything in them,
 * build and compare zero pages, and boot them. Bytes in, plain records out; nothing here touches
 * files, the terminal or the host, so all of it runs in a browser too.
 *
 * ```ts
 * import { decodeSetupHeader, showProtocol } from "@zeropage/zeropage";
 *
 * const image = new Uint8Array(0x400);
 * image.set([0xeb, 0x6a], 0x200);
 * image.set(new TextEncoder().encode("HdrS"), 0x202);
 * image.set([0x0f, 0x02], 0x206);
 * const header = decodeSetupHeader(image);
 * console.log(showProtocol(header.version)); // "2.15"
 * ```
 *
 * @module
 */

export * from "./core/errors.ts";
export * from "./core/inspection.ts";
export * from "./core/kernel.ts";
export * from "./core/boot_image.ts";
export * from "./core/boot/guest.ts";
export * from "./core/boot/prepare.ts";
export * from "./core/boot/plan.ts";
export * from "./core/boot/bootable.ts";
export * from "./core/boot/apply.ts";
export * from "./core/boot/state.ts";
export * from "./core/boot/run.ts";
export * from "./core/boot/outcome.ts";
export * from "./core/boot/console.ts";
export * from "./core/boot/symbols.ts";
export * from "./core/boot/json.ts";
export * from "./core/boot/events.ts";
export * from "./core/boot/peek.ts";
export * from "./core/boot/trace.ts";
export * from "./core/boot/report.ts";
export * from "./core/boot/show_report.ts";
export * from "./core/boot/look_back.ts";
export * from "./core/boot/code_view.ts";
export * from "./core/boot/names.ts";
export * from "./core/boot/timeline.ts";
export { timelineHtml } from "./core/boot/timeline_html.ts";
export { timelineSvg, type TimelineTitle } from "./core/boot/timeline_svg.ts";
export * from "./core/boot/kernel_entry.ts";
export type * from "./core/boot/machine.ts";
export { type Profile, type ProfileName, profiles } from "./emu/board.ts";
export type { GuestMemory } from "./emu/guest_memory.ts";
export * from "./core/rules.ts";
export * from "./core/evidence.ts";
export * from "./core/file_map.ts";
export * from "./core/image_map.ts";
export * from "./core/json.ts";
export * from "./core/release.ts";
export * from "./core/platforms/mod.ts";
export * from "./core/platforms/platform.ts";
export * from "./core/platforms/unnumbered.ts";
export * from "./core/zero_page.ts";
export * from "./core/zero_page_audit.ts";
export {
  arrange,
  type Arrangement,
  type Change,
  changeJson,
  type ChangeKind,
  type DiffSection,
  diffSections,
} from "./core/diff/change.ts";
export * from "./core/diff/image.ts";
export * from "./core/diff/zero_page.ts";
export * from "./core/diff/config.ts";
export * from "./core/loaders/mod.ts";
export * from "./core/loaders/loader.ts";
export type { Cargo, Kernel as HandoverKernel, PlacedSetupData } from "./core/loaders/cargo.ts";
export { Handover } from "./core/loaders/handover.ts";
export * from "./core/memory_plan.ts";
export * from "./core/page_writer.ts";
export * from "./formats/errors.ts";
export * from "./formats/layout.ts";
export * from "./formats/complaint.ts";
export * from "./formats/setup_header.ts";
export * from "./formats/boot_params.ts";
export * from "./formats/setup_data.ts";
export * from "./formats/history.ts";
export type * from "./formats/history_data.ts";
export * from "./formats/kernel_info.ts";
export * from "./formats/version_string.ts";
export * from "./formats/image_crc.ts";
export * from "./formats/elf.ts";
export * from "./formats/elf_notes.ts";
export type { NoteRecord, NoteValue } from "./formats/note_values.ts";
export * from "./formats/xen_guest.ts";
export * from "./formats/relocations.ts";
export * from "./formats/banner.ts";
export * from "./formats/ikconfig.ts";
export * from "./formats/btf/mod.ts";
export * from "./formats/kallsyms/mod.ts";
export * from "./formats/pe.ts";
export {
  coffHeader,
  dosHeader,
  type OptionalHeader,
  optionalHeader32,
  optionalHeader64,
} from "./formats/pe_headers.ts";
export * from "./formats/pkcs7.ts";
export * from "./formats/certificate.ts";
export * from "./formats/sbat.ts";
export * from "./formats/uki.ts";
export * from "./formats/payload/compression.ts";
export * from "./formats/payload/decompress.ts";
export * from "./formats/payload/payload.ts";
export * from "./formats/initramfs/initramfs.ts";
export * from "./formats/initramfs/bootconfig.ts";
export * from "./formats/initramfs/microcode.ts";
export * from "./formats/initramfs/cpio.ts";
export * from "./formats/initramfs/encode_cpio.ts";
export * from "./formats/recognise.ts";
