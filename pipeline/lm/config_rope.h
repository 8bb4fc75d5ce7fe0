/* config_rope.h -- rotary positions, as a config.json says them.
 *
 * Older files have "rope_theta" and perhaps "rope_scaling"; since Hugging Face's transformers 5
 * "rope_parameters" holds both, in families with two kinds of layers once for each.  A file may
 * have both forms, which then must agree.
 */
#ifndef CONFIG_ROPE_H
#define CONFIG_ROPE_H

#include "lm/config.h"
#include "lm/config_file.h"

/* Where a family has the rotary positions of one kind of layer. */
struct config_rope_keys {
    const char *theta;      /* "rope_theta", "rope_local_base_freq" */
    double absent_theta;    /* 0: some key must say it */
    const char *scaling;    /* "rope_scaling"; NULL: these positions are never scaled by it */
    const char *kind;       /* member of "rope_parameters"; NULL: it has no kinds of layers */
    const char *share;      /* "partial_rotary_factor": the share of a head that turns; NULL: all */
    double absent_share;    /* of `share` */
};

/* Rotary positions of heads of this width.  Local.  E_FORMAT, with the key: no base, values that
 * differ, a type other than "default", "linear" and "llama3", a member that is not known. */
enum status config_rope_read(struct rope *rope, const struct config_file *file,
                             const struct config_rope_keys *keys, int32_t head_width);

#endif
