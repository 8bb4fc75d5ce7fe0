#include "kernels/dispatch.h"
#include "kernels/clones.h"
#include "kernels/product.h"

#include <cblas.h>
#include <stdio.h>
#include <string.h>

static const char BEFORE_ONEDNN[] = ", oneDNN ";

/* As the compiler's own dispatch does: the best of those that CLONES names. */
static const char *clone_name(void)
{
#ifdef CLONES_CHOSEN
    __builtin_cpu_init();
    if (__builtin_cpu_supports("x86-64-v4"))
        return "x86-64-v4";
    if (__builtin_cpu_supports("x86-64-v3"))
        return "x86-64-v3";
    return "x86-64";
#else
    return "one version";
#endif
}

void dispatch_name(char name[DISPATCH_NAME])
{
    snprintf(name, DISPATCH_NAME, "%s, OpenBLAS %s%s%s", clone_name(), openblas_get_corename(),
             BEFORE_ONEDNN, product_isa());
}

void dispatch_name_f32(char name[DISPATCH_NAME], const char *all)
{
    const char *end = strstr(all, BEFORE_ONEDNN);

    snprintf(name, DISPATCH_NAME, "%.*s", (int)(end != NULL ? end - all : (long)strlen(all)), all);
}
