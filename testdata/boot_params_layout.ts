/**
 * struct boot_params as the BTF of Debian's 6.1.0-56-amd64 has it: path, offset in
 * the page, size, one field a line; of arrays the first element and, with the
 * count in brackets, the whole. Made from
 * `pahole -C boot_params --expand_types vmlinux-6.1.0-56-amd64`.
 */
export const bootParamsBtf = `
screen_info.orig_x 0 1
screen_info.orig_y 1 1
screen_info.ext_mem_k 2 2
screen_info.orig_video_page 4 2
screen_info.orig_video_mode 6 1
screen_info.orig_video_cols 7 1
screen_info.flags 8 1
screen_info.unused2 9 1
screen_info.orig_video_ega_bx 10 2
screen_info.unused3 12 2
screen_info.orig_video_lines 14 1
screen_info.orig_video_isVGA 15 1
screen_info.orig_video_points 16 2
screen_info.lfb_width 18 2
screen_info.lfb_height 20 2
screen_info.lfb_depth 22 2
screen_info.lfb_base 24 4
screen_info.lfb_size 28 4
screen_info.cl_magic 32 2
screen_info.cl_offset 34 2
screen_info.lfb_linelength 36 2
screen_info.red_size 38 1
screen_info.red_pos 39 1
screen_info.green_size 40 1
screen_info.green_pos 41 1
screen_info.blue_size 42 1
screen_info.blue_pos 43 1
screen_info.rsvd_size 44 1
screen_info.rsvd_pos 45 1
screen_info.vesapm_seg 46 2
screen_info.vesapm_off 48 2
screen_info.pages 50 2
screen_info.vesa_attributes 52 2
screen_info.capabilities 54 4
screen_info.ext_lfb_base 58 4
screen_info._reserved 62 2
apm_bios_info.version 64 2
apm_bios_info.cseg 66 2
apm_bios_info.offset 68 4
apm_bios_info.cseg_16 72 2
apm_bios_info.dseg 74 2
apm_bios_info.flags 76 2
apm_bios_info.cseg_len 78 2
apm_bios_info.cseg_16_len 80 2
apm_bios_info.dseg_len 82 2
_pad2 84 4
tboot_addr 88 8
ist_info.signature 96 4
ist_info.command 100 4
ist_info.event 104 4
ist_info.perf_level 108 4
acpi_rsdp_addr 112 8
_pad3 120 8
hd0_info 128 16
hd1_info 144 16
sys_desc_table.length 160 2
sys_desc_table.table 162 14
olpc_ofw_header.ofw_magic 176 4
olpc_ofw_header.ofw_version 180 4
olpc_ofw_header.cif_handler 184 4
olpc_ofw_header.irq_desc_table 188 4
ext_ramdisk_image 192 4
ext_ramdisk_size 196 4
ext_cmd_line_ptr 200 4
_pad4 204 112
cc_blob_address 316 4
edid_info.dummy 320 128
efi_info.efi_loader_signature 448 4
efi_info.efi_systab 452 4
efi_info.efi_memdesc_size 456 4
efi_info.efi_memdesc_version 460 4
efi_info.efi_memmap 464 4
efi_info.efi_memmap_size 468 4
efi_info.efi_systab_hi 472 4
efi_info.efi_memmap_hi 476 4
alt_mem_k 480 4
scratch 484 4
e820_entries 488 1
eddbuf_entries 489 1
edd_mbr_sig_buf_entries 490 1
kbd_status 491 1
secure_boot 492 1
_pad5 493 2
sentinel 495 1
_pad6 496 1
hdr.setup_sects 497 1
hdr.root_flags 498 2
hdr.syssize 500 4
hdr.ram_size 504 2
hdr.vid_mode 506 2
hdr.root_dev 508 2
hdr.boot_flag 510 2
hdr.jump 512 2
hdr.header 514 4
hdr.version 518 2
hdr.realmode_swtch 520 4
hdr.start_sys_seg 524 2
hdr.kernel_version 526 2
hdr.type_of_loader 528 1
hdr.loadflags 529 1
hdr.setup_move_size 530 2
hdr.code32_start 532 4
hdr.ramdisk_image 536 4
hdr.ramdisk_size 540 4
hdr.bootsect_kludge 544 4
hdr.heap_end_ptr 548 2
hdr.ext_loader_ver 550 1
hdr.ext_loader_type 551 1
hdr.cmd_line_ptr 552 4
hdr.initrd_addr_max 556 4
hdr.kernel_alignment 560 4
hdr.relocatable_kernel 564 1
hdr.min_alignment 565 1
hdr.xloadflags 566 2
hdr.cmdline_size 568 4
hdr.hardware_subarch 572 4
hdr.hardware_subarch_data 576 8
hdr.payload_offset 584 4
hdr.payload_length 588 4
hdr.setup_data 592 8
hdr.pref_address 600 8
hdr.init_size 608 4
hdr.handover_offset 612 4
hdr.kernel_info_offset 616 4
_pad7 620 36
edd_mbr_sig_buffer 656 64
e820_table[128] 720 2560
e820_table[0].addr 720 8
e820_table[0].size 728 8
e820_table[0].type 736 4
_pad8 3280 48
eddbuf[6] 3328 492
eddbuf[0].device 3328 1
eddbuf[0].version 3329 1
eddbuf[0].interface_support 3330 2
eddbuf[0].legacy_max_cylinder 3332 2
eddbuf[0].legacy_max_head 3334 1
eddbuf[0].legacy_sectors_per_track 3335 1
eddbuf[0].params.length 3336 2
eddbuf[0].params.info_flags 3338 2
eddbuf[0].params.num_default_cylinders 3340 4
eddbuf[0].params.num_default_heads 3344 4
eddbuf[0].params.sectors_per_track 3348 4
eddbuf[0].params.number_of_sectors 3352 8
eddbuf[0].params.bytes_per_sector 3360 2
eddbuf[0].params.dpte_ptr 3362 4
eddbuf[0].params.key 3366 2
eddbuf[0].params.device_path_info_length 3368 1
eddbuf[0].params.reserved2 3369 1
eddbuf[0].params.reserved3 3370 2
eddbuf[0].params.host_bus_type 3372 4
eddbuf[0].params.interface_type 3376 8
eddbuf[0].params.interface_path 3384 8
eddbuf[0].params.device_path 3392 16
eddbuf[0].params.reserved4 3408 1
eddbuf[0].params.checksum 3409 1
_pad9 3820 276
`;

/** The views of the two unions in edd_device_params, from the same output. */
export const eddUnionsBtf = `
interface_path isa.base_address 3384 2
interface_path isa.reserved1 3386 2
interface_path isa.reserved2 3388 4
interface_path pci.bus 3384 1
interface_path pci.slot 3385 1
interface_path pci.function 3386 1
interface_path pci.channel 3387 1
interface_path pci.reserved 3388 4
interface_path ibnd.reserved 3384 8
interface_path xprs.reserved 3384 8
interface_path htpt.reserved 3384 8
interface_path unknown.reserved 3384 8
device_path ata.device 3392 1
device_path ata.reserved1 3393 1
device_path ata.reserved2 3394 2
device_path ata.reserved3 3396 4
device_path ata.reserved4 3400 8
device_path atapi.device 3392 1
device_path atapi.lun 3393 1
device_path atapi.reserved1 3394 1
device_path atapi.reserved2 3395 1
device_path atapi.reserved3 3396 4
device_path atapi.reserved4 3400 8
device_path scsi.id 3392 2
device_path scsi.lun 3394 8
device_path scsi.reserved1 3402 2
device_path scsi.reserved2 3404 4
device_path usb.serial_number 3392 8
device_path usb.reserved 3400 8
device_path i1394.eui 3392 8
device_path i1394.reserved 3400 8
device_path fibre.wwid 3392 8
device_path fibre.lun 3400 8
device_path i2o.identity_tag 3392 8
device_path i2o.reserved 3400 8
device_path raid.array_number 3392 4
device_path raid.reserved1 3396 4
device_path raid.reserved2 3400 8
device_path sata.device 3392 1
device_path sata.reserved1 3393 1
device_path sata.reserved2 3394 2
device_path sata.reserved3 3396 4
device_path sata.reserved4 3400 8
device_path unknown.reserved1 3392 8
device_path unknown.reserved2 3400 8
`;
