/* tasks.h -- expand a suite into tasks: its streams of activations and their autoencoders.
 */
#ifndef TASKS_H
#define TASKS_H

#include "base/file.h"
#include "suite/suite.h"

/* One autoencoder to be trained. */
struct sae_task {
    char    name[64];           /* file name without ending, unique in its tap: "w1024-l0.0006";
                                   of another recipe "w1024-t32-topk", of a transcoder
                                   "w1024-t32-to-mlp" or "...-skip" */
    const struct suite_saes *group;     /* of the suite, which asks for it */
    enum architecture_id architecture;
    bool    transcoder;         /* reconstructs `target`, another site than it reads */
    struct tap target;          /* of the same layer; the tap itself if not a transcoder */
    bool    skip;               /* adds a matrix times its input */
    int32_t width;              /* latents */
    double  sparsity;           /* coefficient; 0 if target_l0 is given */
    double  target_l0;          /* 0 if sparsity is given; of the TopK kind, k */
    int64_t tokens;             /* rows to train on */
};

/* All autoencoders that read one stream. */
struct tap_task {
    struct tap       tap;
    struct sae_task *saes;
    int              count;     /* may be 0 */
};

/* Everything that a suite asks for.  The number of a stream is the number of its task, in shuffle,
 * train and evaluate alike. */
struct tasks {
    struct tap      *taps;      /* [taps_count] the streams, by layer, then site */
    struct tap_task *train;     /* [taps_count] the autoencoders of each */
    int              taps_count;
};

/* Expand a suite, for a model of `layers` layers.  `suite` must stay.
 * Local.  E_USAGE if a layer does not exist, an autoencoder's tap is not harvested, its recipe
 * cannot be followed, or two autoencoders have the same name; call tasks_free() then, too. */
enum status tasks_make(struct tasks *tasks, const struct suite *suite, int layers);
void        tasks_free(struct tasks *tasks);

#endif
