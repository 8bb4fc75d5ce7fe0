/* encode.h -- from the rows of a batch to the lists of their entries, on every rank. */
#ifndef ENCODE_H
#define ENCODE_H

#include "kernels/product.h"
#include "kernels/select.h"
#include "step/criteria.h"
#include "step/lists.h"
#include "step/step_scratch.h"

enum { ENCODE_ROWS = 512 };     /* rows of a product, on any number of ranks */

/* Rows whose input is there at a time, while all tiles meet them.  In bf16, where every tile is
 * packed again for them, they are more. */
static inline int64_t encode_rows(enum precision precision)
{
    return precision == PRECISION_BF16 ? 4 * ENCODE_ROWS : ENCODE_ROWS;
}

/* What encode() has for itself. */
struct encoder {
    int              threads, ranks;
    struct product **products;  /* [threads] bf16, ENCODE_ROWS rows, LATENT_TILE latents */
    struct codes    *pieces;    /* [blocks of encode_rows(), own tiles] what each product gave */
    int32_t         *starts;    /* [pieces, 2 ENCODE_ROWS + 1] where their rows begin */
    struct {
        int32_t *index;
        float   *value;
        int64_t  count;
    } found;                    /* the pieces' entries, one after the other */
    struct cutoff      *active, *auxiliary;    /* [batch] cutoffs of rows whose entries displace
                                               each other */
    /* With more ranks than one: */
    struct codes     own;       /* by row, own latents */
    struct codes     gathered;  /* every rank's `own`, one after the other */
    int32_t         *lengths;   /* [ranks, 2, batch] active and auxiliary entries of their rows */
};

/* Its arrays, and the products.  Local. */
void encode_storage(struct encoder *encoder, const struct step_sizes *sizes,
                    struct storage *storage);

/* List the entries of a batch among the latents of a pass.  The dense pre-activations of the batch
 * never exist: they are scanned tile by tile.
 *   criteria   out
 *   lists      out
 * Collective: the lists are gathered, 8 bytes an entry. */
void encode(const struct training *training, const struct batch *batch, struct pass pass,
            struct encoder *encoder, struct step_scratch *scratch, struct criteria *criteria,
            struct lists *lists);

struct scratch_size encode_scratch(const struct step_sizes *sizes);

#endif
