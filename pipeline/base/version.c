#include "base/version.h"

/* The Makefile defines COMMIT. */
const char *version_commit(void)
{
    return COMMIT;
}
