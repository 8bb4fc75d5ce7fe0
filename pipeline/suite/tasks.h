/* tasks.h -- what a suite file amounts to: streams of activations, autoencoders, and
 * where in the run folder each thing lies.
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
    bool    transcoder;         /* reconstructs `target` and not the tap it reads */
    struct tap target;          /* the same layer's; the tap itself but for a transcoder */
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

/* Everything a suite asks for, for a model of so many layers.  A stream's number is that of
 * its task in shuffle, train and evaluate alike. */
struct tasks {
    struct tap      *taps;      /* [taps_count] the streams, by layer, then site */
    struct tap_task *train;     /* [taps_count] their autoencoders */
    int              taps_count;
};

/* Local.  E_USAGE if a layer does not exist, an autoencoder's tap is not harvested, its recipe
 * cannot be followed, or two autoencoders would have the same name; tasks_free() is due then
 * too.  `suite` must stay. */
enum status tasks_make(struct tasks *tasks, const struct suite *suite, int layers);
void        tasks_free(struct tasks *tasks);

#endif
