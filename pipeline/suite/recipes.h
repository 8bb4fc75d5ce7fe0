/* recipes.h -- can the recipe of each group of autoencoders be followed? */
#ifndef RECIPES_H
#define RECIPES_H

#include "suite/suite.h"

/* E_USAGE, with the line, if a recipe lacks a number that it needs or is given one that it has
 * no use for.  Local. */
enum status recipes_check(const struct suite *suite);

#endif
