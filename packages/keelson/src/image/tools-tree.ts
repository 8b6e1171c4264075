// The programs that make images lie in local/tree/, since local machines are booted with the same QEMU.
export * from "../local/tree/tools-tree.ts";
