/* steering_measure.h -- what a vector that is added to the residual stream does: its scale, what it
 * costs, its effects on latents.
 *
 * After Chalnev, Siu, Conmy, arXiv:2411.02193, section 3.1.  An effect is the mean of a latent over
 * tokens with the vector less that without it.  Where the tokens come from:
 *
 *   EFFECTS_TEACHER_FORCED  given texts, whose latents are read while the vector is added
 *   EFFECTS_GENERATIONS     completions that the model writes with the vector, and whose latents
 *                           are read without it, as in the paper; the other mean is that of
 *                           completions written without it
 */
#ifndef STEERING_MEASURE_H
#define STEERING_MEASURE_H

#include "base/run.h"
#include "intervene/scale_search.h"
#include "intervene/steered_writing.h"

struct steering_measure {
    struct run             *run;
    enum effects_source     source;
    struct steered_runs    *texts;      /* kept.  Not owned, as the next is not */
    struct steered_writing *writing;    /* NULL: there are no prompts */
    struct scale_search     search;
    double *plain;              /* [latents] without a vector */
    double *mean;               /* [latents] of one vector */
};

/* One vector. */
struct steered_vector {
    float  *vector;             /* [width] of norm 1 */
    float  *effects;            /* [latents]  out */
    double  scale;              /* out: what it is multiplied by */
    double  loss;               /* out: with it, nats */
    bool    costs;              /* out: false if no scale costs enough; it is the largest then */
};

/* Bytes that steering_measure_make() allocates.  Local. */
int64_t steering_measure_bytes(int32_t latents);

/* Measure the model without a vector; `run`, `source`, `texts`, `writing` and `search` are set.
 * The same on all ranks.  steering_measure_free() accepts an empty one.  Local.  As
 * steered_runs_latents() and steered_writing_write(). */
enum status steering_measure_make(struct steering_measure *measure);
void        steering_measure_free(struct steering_measure *measure);

/* Measure some vectors, which ranks share out.
 * Collective.  As steering_measure_make(); E_USAGE if none of them costs enough; E_STOPPED. */
enum status steering_measure_run(struct steering_measure *measure, struct steered_vector *vectors,
                                 int64_t count);

#endif
