/* encoder.h -- memory that encode() has for itself. */
#ifndef ENCODER_H
#define ENCODER_H

#include "kernels/product.h"
#include "kernels/select.h"
#include "step/lists.h"

enum { ENCODE_ROWS = 512 };     /* rows of a product, on any number of ranks */

/* Rows whose input is there at a time, while all tiles meet them.  In bf16, where every tile is
 * packed again for them, they are more. */
static inline int64_t encode_rows(enum precision precision)
{
    return precision == PRECISION_BF16 ? 4 * ENCODE_ROWS : ENCODE_ROWS;
}

struct encoder {
    int              threads, ranks;
    struct product **products;  /* [threads] bf16, ENCODE_ROWS rows, LATENT_TILE latents */
    struct codes    *pieces;    /* [blocks of encode_rows(), own tiles] what each product gave */
    struct {
        int32_t *index;
        float   *value;
        int64_t  count;
    } found;                    /* the pieces' entries, one after the other */
    struct cut      *active, *auxiliary;    /* [batch] cutoffs of rows whose entries displace
                                               each other */
    /* With more ranks than one: */
    struct codes     own;       /* by row, own latents */
    struct codes    *gathered;  /* [ranks] every rank's `own` */
    int32_t         *lengths;   /* [ranks, 2, batch] active and auxiliary entries of their rows */
};

void encoder_make(struct encoder *encoder, const struct step_sizes *sizes);
void encoder_free(struct encoder *encoder);
int64_t encoder_bytes(const struct step_sizes *sizes);

#endif
