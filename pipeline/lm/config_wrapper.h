/* config_wrapper.h -- the text part of a model that sees images, too.
 *
 * The config.json of such a model has the keys of its language model in the object "text_config".
 * Text alone goes through that language model as if there were nothing else.
 */
#ifndef CONFIG_WRAPPER_H
#define CONFIG_WRAPPER_H

#include "lm/config_file.h"

/* If the file is one of a wrapper that is known, replace its root by the text part, with the
 * wrapper's other keys next to it.  Local.  E_FORMAT: no text part, one of another family than the
 * wrapper's, keys of both that contradict each other. */
enum status config_wrapper_open(struct config_file *file);

#endif
