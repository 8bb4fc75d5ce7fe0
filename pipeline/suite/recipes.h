/* recipes.h -- check that each group of autoencoders asks for what its recipe can do. */
#ifndef RECIPES_H
#define RECIPES_H

#include "suite/suite.h"

/* E_USAGE, with the line, if a recipe lacks a number that it needs, has no use for one that is
 * given, or cannot make such a transcoder.  Local. */
enum status recipes_check(const struct suite *suite);

#endif
