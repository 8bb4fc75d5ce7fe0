/* config_shape.h -- the keys of a config.json that families since Llama have in common.
 *
 * Everything here is Local, and refuses with E_FORMAT: the file, the key, what was expected.
 */
#ifndef CONFIG_SHAPE_H
#define CONFIG_SHAPE_H

#include "lm/config.h"
#include "lm/config_file.h"

/* What Hugging Face's library takes for a key that is absent; 0: the key must be there. */
struct config_shape {
    int32_t vocabulary, heads, positions;
    int32_t kv_heads;       /* CONFIG_SHAPE_DERIVED: as many as heads */
    int32_t head_width;     /* CONFIG_SHAPE_DERIVED: width / heads */
    double  epsilon;
    bool    tied;
};

/* The value follows from others, if the key is absent or null. */
enum { CONFIG_SHAPE_DERIVED = -1 };

/* Widths and numbers of heads, layers, ids and positions, tying, and RMSNorm's epsilon. */
enum status config_shape_read(struct lm_config *config, const struct config_file *file,
                              const struct config_shape *absent);

/* Does this layer see a window only?  As "layer_types" says, or `otherwise` without such a list. */
enum status config_shape_is_local(bool *local, const struct config_file *file, int layer,
                                  int layers, bool otherwise);

#endif
