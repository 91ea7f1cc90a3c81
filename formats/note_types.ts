/**
 * What the types of ELF notes mean, owner by owner.
 *
 * A note's type is a number that only its owner gives a meaning: type 1 is an
 * ABI tag for GNU and an entry address for Xen. So the owner comes first.
 *
 * Source: the kernel's include/linux/build-salt.h and elfnote-lto.h; Xen's
 * public elfnote.h and features.h; the GNU ABI's "Note Section" and the x86-64
 * psABI, "Program Property".
 *
 * @module
 */

/** How a note's description is to be read. */
export type NoteForm =
  /** Text up to the first NUL. */
  | "text"
  /** An address of the ELF's word size or of the description's own. */
  | "address"
  /** A 32-bit number; a wider description must have nothing above. */
  | "number"
  /** Bytes that are an identifier. */
  | "id"
  /** `LINUX_VERSION_CODE`, three numbers in a word. */
  | "version"
  /** A 32-bit number that stands for no or yes. */
  | "flag"
  /** The GNU ABI tag: system and three numbers. */
  | "abi-tag"
  /** GNU program properties. */
  | "properties"
  /** Xen's features by bit. */
  | "xen-features"
  /** Xen's mask and value pairs. */
  | "mask-pairs"
  /** Xen's alignment, lowest and highest load address. */
  | "placement";

/** What a type of note is. */
export interface NoteType {
  /** Its name in the owner's header. */
  readonly name: string;
  /** How its description is read. */
  readonly form: NoteForm;
  /** What it says. */
  readonly doc: string;
}

/** The types by owner and number. */
export const noteTypes: Readonly<Record<string, Readonly<Record<number, NoteType>>>> = {
  GNU: {
    1: {
      name: "NT_GNU_ABI_TAG",
      form: "abi-tag",
      doc: "The oldest kernel on which the program runs.",
    },
    3: { name: "NT_GNU_BUILD_ID", form: "id", doc: "An identifier that each build has afresh." },
    4: { name: "NT_GNU_GOLD_VERSION", form: "text", doc: "Version of the gold linker." },
    5: { name: "NT_GNU_PROPERTY_TYPE_0", form: "properties", doc: "What the program needs." },
  },
  Linux: {
    0: { name: "LINUX_VERSION_CODE", form: "version", doc: "Kernel release, in the vDSO." },
    0x100: {
      name: "LINUX_ELFNOTE_BUILD_SALT",
      form: "text",
      doc: "CONFIG_BUILD_SALT, which sets the build IDs of like kernels apart.",
    },
    0x101: {
      name: "LINUX_ELFNOTE_LTO_INFO",
      form: "flag",
      doc: "Whether the kernel was built with link-time optimisation.",
    },
  },
  Xen: {
    0: { name: "XEN_ELFNOTE_INFO", form: "text", doc: "A NAME=VALUE pair." },
    1: {
      name: "XEN_ELFNOTE_ENTRY",
      form: "address",
      doc: "Virtual address at which a paravirtualized guest starts.",
    },
    2: {
      name: "XEN_ELFNOTE_HYPERCALL_PAGE",
      form: "address",
      doc: "Virtual address of the page that the hypervisor fills with its calls.",
    },
    3: {
      name: "XEN_ELFNOTE_VIRT_BASE",
      form: "address",
      doc: "Virtual address at which guest memory is mapped.",
    },
    4: {
      name: "XEN_ELFNOTE_PADDR_OFFSET",
      form: "address",
      doc: "To be taken from the program headers' physical addresses.",
    },
    5: { name: "XEN_ELFNOTE_XEN_VERSION", form: "text", doc: "The Xen the guest works with." },
    6: { name: "XEN_ELFNOTE_GUEST_OS", form: "text", doc: "Name of the guest's system." },
    7: { name: "XEN_ELFNOTE_GUEST_VERSION", form: "text", doc: "Version of that system." },
    8: { name: "XEN_ELFNOTE_LOADER", form: "text", doc: "Loader type." },
    9: {
      name: "XEN_ELFNOTE_PAE_MODE",
      form: "text",
      doc: 'Page tables with PAE: "yes", "no" or "bimodal"; of meaning in 32 bits.',
    },
    10: {
      name: "XEN_ELFNOTE_FEATURES",
      form: "text",
      doc: "Features the guest knows, and needs where an exclamation mark is before them.",
    },
    11: {
      name: "XEN_ELFNOTE_BSD_SYMTAB",
      form: "text",
      doc: "Whether the symbol table is to be loaded.",
    },
    12: {
      name: "XEN_ELFNOTE_HV_START_LOW",
      form: "address",
      doc: "Lowest address at which the hypervisor's hole may begin.",
    },
    13: {
      name: "XEN_ELFNOTE_L1_MFN_VALID",
      form: "mask-pairs",
      doc: "How to tell page table entries that hold a machine frame though not present.",
    },
    14: {
      name: "XEN_ELFNOTE_SUSPEND_CANCEL",
      form: "flag",
      doc: "Whether the guest can take back a suspend.",
    },
    15: {
      name: "XEN_ELFNOTE_INIT_P2M",
      form: "address",
      doc: "Virtual address at which the list of frames is to be mapped.",
    },
    16: {
      name: "XEN_ELFNOTE_MOD_START_PFN",
      form: "flag",
      doc: "Whether the guest takes an initrd that is not mapped.",
    },
    17: {
      name: "XEN_ELFNOTE_SUPPORTED_FEATURES",
      form: "xen-features",
      doc: "Features the guest knows, by bit.",
    },
    18: {
      name: "XEN_ELFNOTE_PHYS32_ENTRY",
      form: "number",
      doc: "Physical address of the 32-bit PVH entry.",
    },
    19: {
      name: "XEN_ELFNOTE_PHYS32_RELOC",
      form: "placement",
      doc: "The image may be loaded elsewhere for PVH: alignment, lowest and highest address.",
    },
  },
  FDO: {
    0xcafe1a7e: {
      name: "NT_FDO_PACKAGING_METADATA",
      form: "text",
      doc: "The package the file comes from, as JSON.",
    },
  },
};

/** Xen's features by bit, without their XENFEAT_ prefix. */
export const xenFeatures = {
  0: "writable_page_tables",
  1: "writable_descriptor_tables",
  2: "auto_translated_physmap",
  3: "supervisor_mode_kernel",
  4: "pae_pgdir_above_4gb",
  5: "mmu_pt_update_preserve_ad",
  6: "highmem_assist",
  7: "gnttab_map_avail_bits",
  8: "hvm_callback_vector",
  9: "hvm_safe_pvclock",
  10: "hvm_pirqs",
  11: "dom0",
  12: "grant_map_identity",
  13: "memory_op_vnode_supported",
  14: "ARM_SMCCC_supported",
  15: "linux_rsdp_unrestricted",
  16: "not_direct_mapped",
  17: "direct_mapped",
  18: "runstate_phys_area",
  19: "vcpu_time_phys_area",
  20: "dm_msix_all_writes",
} as const;

/** Systems in a GNU ABI tag. */
export const abiSystems: readonly string[] = [
  "Linux",
  "Hurd",
  "Solaris",
  "FreeBSD",
  "NetBSD",
  "Syllable",
  "NaCl",
];

/** A GNU program property. */
export interface PropertyType {
  /** Its name, without the GNU_PROPERTY_ prefix. */
  readonly name: string;
  /** Names of the bits of its value. */
  readonly bits?: Readonly<Record<number, string>>;
}

const x86Features = { 0: "IBT", 1: "SHSTK", 2: "LAM_U48", 3: "LAM_U57" } as const;
const x86Levels = { 0: "x86-64-baseline", 1: "x86-64-v2", 2: "x86-64-v3", 3: "x86-64-v4" } as const;
const x86State = {
  0: "x86",
  1: "x87",
  2: "MMX",
  3: "XMM",
  4: "YMM",
  5: "ZMM",
  6: "FXSR",
  7: "XSAVE",
  8: "XSAVEOPT",
  9: "XSAVEC",
  10: "TMM",
  11: "MASK",
} as const;

/** GNU program properties by type. */
export const propertyTypes: Readonly<Record<number, PropertyType>> = {
  1: { name: "STACK_SIZE" },
  2: { name: "NO_COPY_ON_PROTECTED" },
  0xb0008000: { name: "1_NEEDED", bits: { 0: "INDIRECT_EXTERN_ACCESS" } },
  0xc0000002: { name: "X86_FEATURE_1_AND", bits: x86Features },
  0xc0008001: { name: "X86_FEATURE_2_NEEDED", bits: x86State },
  0xc0008002: { name: "X86_ISA_1_NEEDED", bits: x86Levels },
  0xc0010001: { name: "X86_FEATURE_2_USED", bits: x86State },
  0xc0010002: { name: "X86_ISA_1_USED", bits: x86Levels },
};
