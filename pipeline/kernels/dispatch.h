/* dispatch.h -- which versions of the kernels this CPU gets.
 *
 * Our own functions (clones.h), OpenBLAS and oneDNN each choose at the start, by the CPU and by the
 * environment (OPENBLAS_CORETYPE, ONEDNN_MAX_CPU_ISA).  Versions differ in the order in which they
 * add, and in fused operations, so the bits of a result depend on them.
 */
#ifndef DISPATCH_H
#define DISPATCH_H

enum { DISPATCH_NAME = 128 };

/* Write the three choices: "x86-64-v4, OpenBLAS SkylakeX, oneDNN avx512_core_bf16", in which the
 * last one is what bf16 products alone depend on; "oneDNN none" without oneDNN. */
void dispatch_name(char name[DISPATCH_NAME]);

/* Write the choices that float32 products depend on: the same without the last one. */
void dispatch_name_f32(char name[DISPATCH_NAME], const char *all);

#endif
