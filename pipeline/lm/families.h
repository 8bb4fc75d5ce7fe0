/* families.h -- the families of language models: one row of a table each.
 *
 * A family's own file, family_NAME.c, has two halves: what the keys of its config.json mean as
 * values of struct lm_config, and under which names a checkpoint holds its tensors.  The
 * rest of the program asks for those values, and never for the family.
 *
 * A new family is such a file, its row in families.c, and a checkpoint with its reference in
 * tests/unit/test_forward.c, which fails while a row has none.
 */
#ifndef FAMILIES_H
#define FAMILIES_H

#include "base/refuse.h"

struct lm_config;
struct config_file;
struct checkpoint;
struct weights;
struct layer_weights;

struct family {
    const char *name;       /* "model_type" of its config.json */

    /* Fill a config that is all 0, but for the ids of special tokens, which config_read() adds.
     * It asks for every key that bears on the arithmetic: config_read() refuses the others. */
    enum status (*read_config)(struct lm_config *config, const struct config_file *file);

    /* Read the tensors of one layer; and those of no layer, of which each rank of the node
     * reads its share: embedding, learned positions, last norm, output matrix. */
    enum status (*read_layer)(struct layer_weights *to, const struct checkpoint *from,
                              const struct lm_config *config, int layer);
    enum status (*read_ends)(struct weights *to, const struct checkpoint *from);
};

/* Family number `i` of the table, NULL after the last. */
const struct family *families_at(int i);

/* The family of this name; NULL if there is none. */
const struct family *families_find(const char *name);

/* "gemma, gemma2 and gpt2": all names, for messages.  Returns `text`. */
enum { FAMILIES_TEXT = 256 };
const char *families_names(char text[FAMILIES_TEXT]);

#endif
