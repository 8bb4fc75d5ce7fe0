/* store.h -- the types in which activations are stored. */
#ifndef STORE_H
#define STORE_H

#include "base/refuse.h"
#include "suite/keys.h"     /* enum store, the choices of harvest.store */

#include <stdint.h>

int64_t     store_bytes(enum store store);
const char *store_name(enum store store);

#endif
