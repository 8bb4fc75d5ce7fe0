/* suite.h -- the suite file: what a person asks for, with a default for all but a few keys.
 *
 * jobs/explained.yaml shows every key with its default, unit and meaning; schema.c is the
 * table it is made from.  Relative paths in a suite file are relative to the folder in
 * which the program is started.
 */
#ifndef SUITE_H
#define SUITE_H

#include "base/comm.h"
#include "suite/site.h"

enum { SUITE_PLACE = 1100 };

/* A group of autoencoders: every combination of site, layer, width and sparsity. */
struct suite_saes {
    char   **sites;             /* names of sites */
    unsigned sites_count;
    char    *target;            /* "input", or the site that a transcoder reconstructs */
    char    *skip;              /* "none" or "linear" */
    char    *recipe;            /* "gemma_scope", ... */
    char   **layers;            /* "all", "7", "3-9" */
    unsigned layers_count;
    int64_t *widths;            /* latents */
    unsigned widths_count;
    double  *sparsities;        /* coefficients of the L0 penalty, in normalised units; ... */
    unsigned sparsities_count;
    double  *target_l0;         /* ... or the mean L0 to be reached: one of the two lists */
    unsigned target_l0_count;
    int64_t  tokens;            /* rows of activations to train on */
};

struct suite {
    char *name;
    char *run;                  /* folder for all that the stages make; by default runs/NAME */

    struct {
        char *path;             /* Hugging Face checkpoint: config.json, *.safetensors */
        char *tokenizer;        /* its tokenizer's file; empty: one in PATH (lm/tokenizer.h) */
        char *precision;        /* arithmetic: "f32" or "bf16" */
        char *config;           /* folder with its config.json, for where `path` is not */
    } model;

    struct {
        char   **files;         /* .txt, .jsonl, .jsonl.zst, .h5; wildcards allowed */
        unsigned files_count;
        int64_t  context;       /* tokens of a sequence, BOS included */
        double   holdout;       /* share of the documents that is kept for evaluation */
    } corpus;

    struct {
        char   **sites;         /* names of sites */
        unsigned sites_count;
        char   **layers;        /* as in suite_saes */
        unsigned layers_count;
        int64_t  tokens;        /* stop when this many are fed to the model; 0: the whole corpus */
        int64_t  seed;          /* of the order in which sequences are taken */
        int64_t  block;         /* sequences of one forward pass */
        int64_t  shard;         /* sequences of one shard (a task) */
        double   max_norm;      /* drop rows longer than so many medians; 0: keep all */
        char    *store;         /* values on disk: "bf16" or "f32" */
    } harvest;

    struct {
        char   *mode;           /* "global", "bucket" or "none" */
        int64_t bucket;         /* rows of a bucket, for mode "bucket" */
        int64_t memory;         /* bytes a rank may use for rows */
        int64_t shard;          /* rows of an output shard */
        int64_t seed;
    } shuffle;

    struct {
        int64_t batch;          /* rows of a step */
        double  learning_rate;
        int64_t warmup;         /* steps until the full learning rate, by a cosine from a tenth */
        double  decay;          /* last share of the steps over which it falls linearly to 0 */
        int64_t sparsity_warmup;    /* steps until the full sparsity penalty, linear */
        double  bandwidth;      /* epsilon of the straight-through estimator */
        double  threshold;      /* initial threshold of every latent */
        char   *threshold_form; /* what Adam moves: "raw" or "log" */
        char   *target_form;    /* "ratio" or "quadratic": recipe.h */
        double  target_strength;
        double  frequency_strength; /* coefficient of the penalty on frequent latents */
        double  frequency;
        double *prefixes;       /* of a Matryoshka, shares of the width */
        unsigned prefixes_count;
        double  auxk;           /* coefficient of AuxK */
        int64_t auxk_latents;
        double  clip;           /* most norm of all gradients together; 0: any */
        double  beta1, beta2, epsilon;  /* Adam */
        int64_t dead_after;     /* rows without activation after which a latent counts as dead */
        int64_t checkpoint;     /* steps between checkpoints */
        int64_t seed;           /* of the initial decoder */
        char   *precision;      /* of products with the weights: "f32" or "bf16" */
    } train;

    struct suite_saes *saes;
    unsigned saes_count;

    struct {
        int64_t sequences;      /* held-out sequences to splice into; 0: all there are */
        int64_t seed;           /* of the choice */
    } evaluate;

    struct {                    /* of a Slurm job, which does one task */
        int64_t  nodes;         /* for shuffle and train; 1 for the other stages */
        int64_t  cores;         /* of a node */
        int64_t  memory;        /* bytes of a node */
        int64_t  time;          /* minutes */
        int64_t  margin;        /* seconds before the end at which a task stops and requeues */
        int64_t  at_once;       /* jobs of a stage that run at the same time; 0: no limit */
        char   **options;       /* more options of sbatch */
        unsigned options_count;
    } resources;

    struct {                    /* what a core does in a second; 0: as measured */
        double tokenize;        /* megabytes of compressed text */
        double harvest;         /* gigaflops of the forward pass */
        double shuffle;         /* megabytes of rows, each pass */
        double train;           /* gigaflops of the encoder's product */
        double evaluate;        /* gigaflops of forward passes */
    } rates;

    char *text;                 /* the effective suite as YAML: what results depend on */
    char *path, *source;        /* the file it was read from, and that file's text */
};

/* Refuse what is far too long to be a suite file, before it is read.  Local.  E_IO, E_USAGE. */
enum status suite_check_file(const char *path);

/* Read and check a suite file, and make the run folder its own (ownership.h).  Rank 0 reads, all
 * ranks parse the same bytes.  `suite` is filled from the file and the defaults;
 * suite_free() empties it.
 * Collective.  E_IO, E_SPACE, E_USAGE (with file, line and what would be right). */
enum status suite_read(struct suite *suite, MPI_Comm comm, const char *path);

/* The same from the text of a file; `path` is only for messages.  After a failure
 * `suite` is to be freed as well.  Local.  E_USAGE. */
enum status suite_parse(struct suite *suite, const char *yaml, const char *path);

void suite_free(struct suite *suite);

/* Within how many consecutive rows does the shuffle move a row, of a stream of `rows`?  Local. */
int64_t suite_bucket(const struct suite *suite, int64_t rows);

/* Write `text` anew from the members.  Local. */
void suite_render(struct suite *suite);

/* "FILE:LINE" of a key in the file that the suite was read from (of group number `entry`, if
 * `section` is "saes"), for messages.  Returns `place`.  Local. */
const char *suite_place(char place[SUITE_PLACE], const struct suite *suite, const char *section,
                        unsigned entry, const char *name);

#endif
