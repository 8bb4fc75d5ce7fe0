/* observation.h -- what is seen of a generator's output: some values, averages of groups, or affine
 * combinations.
 *
 * The f of L-BRGM (Conmy, Mukherjee and Schoenlieb, arXiv:2110.03814): y = f(G(w)) is the corrupted
 * image, f a mask for inpainting and a downsampling for super-resolution.  Float64; everything here
 * is Local, and runs on one thread.
 */
#ifndef OBSERVATION_H
#define OBSERVATION_H

#include "base/refuse.h"
#include "suite/keys.h"

#include <stdbool.h>
#include <stdint.h>

struct observation {
    int32_t  inputs, outputs;
    int32_t *group;         /* [inputs] the output to whose average an input belongs, -1: none;
                               NULL: the operator is affine */
    double  *share;         /* [outputs] 1 / inputs of the group */
    double  *weight;        /* [outputs, inputs] */
    double  *bias;          /* [outputs] */
};

/* Bytes of an operator.  Affine ones have a matrix. */
int64_t observation_bytes(int32_t inputs, int32_t outputs, bool affine);

/* Keep some inputs, in the order given.  observation_free() accepts an empty operator.
 *   kept  [count]  in
 * E_USAGE: none is kept, one that does not exist, one twice. */
enum status observation_mask(struct observation *seen, const int32_t *kept, int32_t count,
                             int32_t inputs);

/* Average groups of inputs.
 *   group  [inputs]  in: 0 to groups - 1; -1: of no group
 * E_USAGE: another number, a group without inputs, no groups. */
enum status observation_average(struct observation *seen, const int32_t *group, int32_t inputs,
                                int32_t groups);

/* weight x + bias.
 *   weight  [outputs, inputs]  in
 *   bias    [outputs]          in; NULL: 0 */
void observation_affine(struct observation *seen, const double *weight, const double *bias,
                        int32_t outputs, int32_t inputs);
void observation_free(struct observation *seen);

/* The operator of a safetensors file, as the key invert.observation says; none: all values are
 * seen, and no file is read.  E_IO, E_NUMERIC; E_USAGE: as above, a tensor that is missing;
 * E_FORMAT: one of another shape, masks but 0 and 1, groups that are no numbers. */
enum status observation_read(struct observation *seen, enum invert_observation kind,
                             const char *path, int32_t inputs);

/* Apply it, and go back from the gradient by the outputs to that by the inputs.
 *   y [outputs], x [inputs] */
void observation_apply(const struct observation *seen, double *y, const double *x);
void observation_back(const struct observation *seen, double *x, const double *y);

#endif
