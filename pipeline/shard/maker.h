/* maker.h -- which kernels this program computes with, and which ones made a file.
 *
 * Results have the same bits on any number of ranks and threads of one kind of CPU.  Another kind,
 * or other versions of the kernels on the same one (dispatch.h), gives other last bits.  So each
 * file records the kernels of its writer (h5_write_format()), ranks of unlike kinds are refused,
 * and a stage that goes on from files of another kind says so (h5_compare_maker()).
 */
#ifndef MAKER_H
#define MAKER_H

#include "base/run.h"
#include "suite/suite.h"

/* Refuse if ranks compute with unlike kernels, unless resources.unlike_cpus allows it, which is a
 * warning.  From now on maker_compare() warns.  Collective; `run` must live as long as the program.
 * E_USAGE. */
enum status maker_settle(struct run *run, const struct suite *suite);

/* The kernels and the CPU that files record.  After maker_settle() they are those of rank 0 on all
 * ranks, which must write the same attributes to a file that they share.  Local. */
const char *maker_kernels(void);
const char *maker_cpu(void);

/* Warn, once in a program, if a file was made by other kernels than ours, in as far as the suite's
 * precision makes use of them.  Nothing before maker_settle().  Local. */
void maker_compare(const char *kernels, const char *path);

#endif
