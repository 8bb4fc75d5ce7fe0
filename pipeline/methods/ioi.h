/* ioi.h -- what the parts of a model do for an answer, after Wang et al., arXiv:2211.00593.
 *
 * Of each prompt: the logit difference (mean logit of the answers less that of the wrong ones)
 * where the prompt ends; what each head, bias and MLP adds to it directly (attribution.h); where
 * each head looks from there; and how it changes when a head is knocked out (template_means.h), at
 * the end of the prompt or everywhere, while all that follows is computed again.  Of each head also
 * which names it copies (name_copies.h).
 */
#ifndef IOI_H
#define IOI_H

#include "methods/differences.h"
#include "methods/fields.h"
#include "methods/name_copies.h"
#include "methods/template_means.h"

/* What is found of each prompt. */
enum ioi_field {
    IOI_DIFFERENCE,  /* of logits */
    IOI_CORRUPTED,   /* the same, of the corrupted prompt and the same answers */
    IOI_PROBABILITY, /* of the answers */
    IOI_FIRST,       /* 1 if an answer has the largest logit, else 0 */
    IOI_DIRECT_EMBEDDING,
    IOI_DIRECT_BIAS, /* shares of the difference */
    IOI_DIRECT_ATTN_BIAS,
    IOI_DIRECT_MLP,  /* of each layer */
    IOI_DIRECT_HEAD, /* of each head, as those that follow */
    IOI_DIRECT_ANSWER,
    IOI_DIRECT_WRONG, /* shares of the answers' logits, of the wrong ones',
                                                   each less the mean logit of all tokens */
    IOI_KNOCKED_END, IOI_KNOCKED_ALL,           /* change of the difference; NaN: head not chosen */
    IOI_COPIED, IOI_COPIED_NEGATIVE,    /* shares of the names (name_copies.h) */
    IOI_ATTENTION,          /* of each head, from the end to each class; NaN: class not known */
    IOI_ATTENTION_S2,       /* the same from the second mention of the subject */
    IOI_FIELDS
};

extern const struct field IOI_TABLE[IOI_FIELDS];

/* What computes blocks of prompts. */
struct ioi_worker {
    const struct circuit        *circuit;
    const struct template_means *means;
    struct forward       forward;
    struct forward_state state;
    struct differences   differences;
    struct name_copies   copies;
    bool   *chosen;             /* [layers * heads] to be knocked out */
    float  *masked;             /* [block, heads, heads * head_width] outputs of one head alone */
    float  *parts;              /* [block, heads, width] what it adds to the stream */
    float  *pattern;            /* [tokens] */
    double *direction;          /* [block, 2, width] of the answers, of the wrong ones */
    double *unembedding;        /* [width] mean over tokens */
    void   *scratch;            /* of products */
};

/* Bytes that ioi_worker_make() allocates.  Everything below is Local. */
int64_t         ioi_worker_bytes(const struct suite *suite, const struct lm_config *config,
                                 struct circuit_shape shape);
void            ioi_worker_make(struct ioi_worker *worker, const struct circuit *circuit);
void            ioi_worker_free(struct ioi_worker *worker);

/* Compute prompts [range] of fields IOI_TABLE: a fields_compute, whose context is the worker.  As
 * forward_start(). */
enum status ioi_worker_run(void *worker, struct fields *results, struct range range);

/* Write RUN/circuit/NAME.h5, .html and .json (RESULTS.md), but for one that is there: it is
 * complete, and the same.  E_IO, E_SPACE. */
enum status ioi_files_write(const struct fields *results, const char *name);

/* Bytes of the first. */
double ioi_files_bytes(const struct lm_config *config, struct circuit_shape shape);

#endif
