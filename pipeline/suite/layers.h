/* layers.h -- layers as a suite file names them: "all", "7", "3-9". */
#ifndef LAYERS_H
#define LAYERS_H

#include "base/split.h"

#include <stdbool.h>

/* The layers that `text` names, from 0; "all" has no end (INT64_MAX).  False if it is none
 * of the three forms.  Local. */
bool layers_parse(struct range *layers, const char *text);

#endif
