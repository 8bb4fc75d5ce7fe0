/* latent_circuit.h -- latents of autoencoders at any sites as the nodes of a circuit.
 *
 * After Marks et al., "Sparse feature circuits", arXiv:2403.19647, sections 2 and 3.  Each site has
 * the nodes of sae/latent_nodes.h: the latents of its autoencoder, then its error.  A run starts
 * from the clean prompts.  At each site, in the order in which the model comes to them,
 *
 *   a node that is kept has the value that it has in the row of this very run;
 *   any other node has the value that it has in the corrupted prompt's row there.
 *
 * Nodes have their values at all positions.  With all nodes kept the metric is the clean run's,
 * to the bit.  With none kept the rows of each site are the corrupted prompt's.  If one of the
 * sites is "res" then all that comes after it depends on these rows alone, so the metric is the
 * corrupted prompt's, to rounding; otherwise the stream passes the sites by, and it need not be.
 *
 * The score of a node is its effect on the metric L, which is to be minimised, to first order:
 *
 *   score(node) = sum over prompts and positions of (value clean - value corrupted) . dL/dvalue
 *
 * where dL/dvalue is W_dec[latent] . dL/dx for a latent and dL/dx for the error (their indirect
 * effect by attribution patching, with the other sign).  So the scores of a site add up to
 * (x - x') . dL/dx.  Not to keep a node changes L by about -score.  With steps, the gradient is
 * the mean over runs whose embedding goes in equal steps from the corrupted prompts' to the clean
 * ones', as in eap.h; one run serves all sites.  (Their own integral moves each site by itself.)
 *
 * Blocks of prompts and the metric are those of experiment.h, so results have the same bits on any
 * number of ranks and threads.
 */
#ifndef LATENT_CIRCUIT_H
#define LATENT_CIRCUIT_H

#include "circuit/experiment.h"
#include "lm/backward.h"
#include "sae/sae.h"

struct latent_site {
    struct tap tap;
    struct sae sae;         /* no transcoder; its rows are as wide as the site's.  Not owned */
};

struct latent_circuit_setup {
    struct experiment_setup   experiment;   /* without a graph, with corrupted prompts */
    const struct latent_site *sites;        /* in the order in which the model comes to them */
    int                       count;
};

/* The sites' rows of a block of prompts, side by side: those of a site begin at rows * column. */
struct latent_block {
    float *clean, *corrupted;
    float *gradient;        /* of the metric by the rows */
};

/* What a thread needs to go through a block. */
struct latent_worker {
    struct forward  forward;
    struct backward backward;
    float *last;            /* [rows, width] gradient of the last stream, or another embedding */
    float *to, *from;       /* [rows, latents of the widest] */
    float *to_error, *from_error;   /* [rows, widest site] */
};

struct latent_circuit {
    struct latent_circuit_setup setup;
    struct experiment     e;
    int64_t              *first;        /* [sites + 1] a site's first node; the last is its error */
    int64_t              *column;       /* [sites + 1] values of a row at the sites before */
    int                   threads;
    struct latent_worker *workers;      /* [threads] */
    struct latent_block  *blocks;       /* [range_length(e.blocks)] */
    double                clean, corrupted; /* the metric of the two prompts */
};

/* All nodes of some sites.  Local. */
int64_t latent_circuit_nodes(const struct latent_circuit_setup *setup);

/* Bytes that the first rank of `size` allocates with `threads` threads; no other one more.  Sizes
 * alone of the autoencoders are read.  Local. */
int64_t latent_circuit_bytes(const struct latent_circuit_setup *setup,
                             const struct lm_config *config, int size, int threads);

/* Run both prompts.  latent_circuit_free() accepts an empty one.  Collective.  E_USAGE if an
 * autoencoder is none for its site; as forward_check(). */
enum status latent_circuit_make(struct latent_circuit *circuit,
                                const struct latent_circuit_setup *setup, MPI_Comm comm);
void        latent_circuit_free(struct latent_circuit *circuit);

/* Score all nodes.  Without steps a metric that compares with the clean run gives 0 (eap_check()).
 *   scores [nodes]  out, the same on all ranks
 * Collective. */
void latent_circuit_score(struct latent_circuit *circuit, double *scores, int steps);

/* The metric with some nodes kept.
 *   kept [nodes]  in
 * Collective; the same on all ranks. */
double latent_circuit_value(struct latent_circuit *circuit, const bool *kept);

/* What it does to the metric not to keep one node, for `count` nodes.
 *   effects [count]  out
 *   nodes   [count]  in
 * Collective; the same on all ranks. */
void latent_circuit_effects(struct latent_circuit *circuit, double *effects, const int64_t *nodes,
                            int64_t count);

/* The site of a node.  Local. */
int latent_circuit_site(const struct latent_circuit *circuit, int64_t node);

#endif
