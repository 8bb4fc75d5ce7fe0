/* given_texts.h -- texts that a task of interventions is given, one kind of them. */
#ifndef GIVEN_TEXTS_H
#define GIVEN_TEXTS_H

#include "prompts/prompts.h"

/* Read the first tokens of the texts in some files, as many texts and tokens as the suite asks for
 * at most; without files there are none.  prompts_free() is due after a failure, too.  Local.  As
 * prompts_read(); E_USAGE if there are files, but no text. */
enum status given_texts_read(struct prompts *texts, const struct wording *wording,
                             const struct suite *suite, char *const *paths, unsigned count);

#endif
