/* layers.h -- parse layers of a suite file: "all", "7", "3-9". */
#ifndef LAYERS_H
#define LAYERS_H

#include "base/split.h"

#include <stdbool.h>

/* The layers that `text` names, from 0; the end of "all" is INT64_MAX.  False if `text` has none of
 * the three forms.  Local. */
bool layers_parse(struct range *layers, const char *text);

#endif
