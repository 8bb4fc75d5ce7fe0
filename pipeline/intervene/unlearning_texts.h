/* unlearning_texts.h -- the texts and questions of unlearning: what is to be forgotten, and what is
 * not. */
#ifndef UNLEARNING_TEXTS_H
#define UNLEARNING_TEXTS_H

#include "prompts/prompts.h"

/* Without questions the two tables are empty, but made. */
struct unlearning_texts {
    struct prompts forget, retain;          /* texts */
    struct prompts questions, controls;     /* in every order of their choices (questions.h) */
    int32_t        bos;
};

/* Read the files that the suite names, and give them to all ranks.  unlearning_texts_free() is due
 * after a failure, too.  Collective.  As prompts_read() and questions_read(); E_USAGE if one kind
 * of them is missing or empty. */
enum status unlearning_texts_read(struct unlearning_texts *texts, const struct suite *suite,
                                  const struct lm_config *config, MPI_Comm comm);
void        unlearning_texts_free(struct unlearning_texts *texts);

/* Are there questions?  Where there are none, nor controls, texts alone say what is forgotten.
 * Local. */
bool unlearning_texts_asks(const struct suite *suite);

/* Bytes of as many as the suite asks for at most.  Local. */
int64_t unlearning_texts_bytes(const struct suite *suite);

#endif
