/* steering_texts.h -- the texts of steering: those on which vectors cost something, beginnings that
 * are completed, and two kinds that are contrasted. */
#ifndef STEERING_TEXTS_H
#define STEERING_TEXTS_H

#include "prompts/prompts.h"

struct steering_texts {
    struct prompts retain, prompts;         /* empty if the suite names none, as all others */
    struct prompts positive, negative;
    int32_t        bos;
};

/* Read the files that the suite names, and give them to all ranks.  steering_texts_free() is due
 * after a failure, too.  Collective.  As prompts_read(); E_USAGE if files of a kind have no
 * text. */
enum status steering_texts_read(struct steering_texts *texts, const struct suite *suite,
                                const struct lm_config *config, MPI_Comm comm);
void        steering_texts_free(struct steering_texts *texts);

/* Bytes of as many as the suite asks for at most.  Local. */
int64_t steering_texts_bytes(const struct suite *suite);

/* At most this many prompts of at most this many tokens are in the files that are there.  Local. */
struct steering_prompts_size {
    int64_t prompts, longest;
};

struct steering_prompts_size steering_texts_prompts(const struct suite *suite);

#endif
