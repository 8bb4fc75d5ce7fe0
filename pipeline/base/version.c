#include "base/version.h"

/* COMMIT comes from the Makefile. */
const char *version_commit(void)
{
    return COMMIT;
}
