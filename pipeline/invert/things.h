/* things.h -- what an inversion explains: values from a file, or rows of the model in texts.
 *
 * A row of the model is divided by its unit, the square root of the mean of its squares, so that
 * weights and rates of an inversion suit rows of any size.  Everything here is Local, and the same
 * on all ranks; a row has the same bits on any number of them, as each rank runs its text alone.
 */
#ifndef THINGS_H
#define THINGS_H

#include "invert/inversion_parts.h"
#include "prompts/prompts.h"

/* Where things come from. */
struct things {
    const struct inversion_source *source;
    const struct prompts *prompts;  /* of the suite's texts; for a network none */
    struct tap tap;                 /* of a decoder, or the site mlp: where rows are read */
};

struct thing {
    int32_t width;          /* of what the generator gives, or of the values from a file */
    double *values;         /* [width] divided by the unit */
    double  unit;           /* 1 for values from a file */
    float  *inner;          /* what the model has in place of w: [latents] those of the encoder; or
                               [width of the model] what the MLP reads; NULL: nothing */
    int32_t inners;
    int64_t prompt, position;       /* of a row; otherwise -1 */
};

/* How many things are there?  E_IO, E_FORMAT; E_USAGE: the file has no tensor "seen". */
enum status things_count(int64_t *count, const struct things *things);

/* Thing number `number` of them.  things_free() accepts an empty one.  E_IO, E_FORMAT; E_NUMERIC:
 * a value that is not finite, a row of zeros. */
enum status things_read(struct thing *thing, const struct things *things, int64_t number);
void        things_free(struct thing *thing);

/* Bytes that things_read() allocates for texts of up to `tokens` tokens, with `threads` threads. */
int64_t things_bytes(const struct inversion_source *source, int64_t tokens, int threads);

#endif
