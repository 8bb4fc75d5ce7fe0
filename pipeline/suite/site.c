#include "suite/site.h"

#include <stdio.h>
#include <string.h>

static const char *const NAMES[SITES] = { "attn", "mlp", "res", "mlp_in" };

const char *site_name(enum site site)
{
    return NAMES[site];
}

static const enum site ORDER[SITES] = { SITE_ATTN, SITE_MLP_IN, SITE_MLP, SITE_RES };

int site_order(enum site site)
{
    int order = 0;

    while (ORDER[order] != site)
        order++;
    return order;
}

enum site site_at(int order)
{
    return ORDER[order];
}

enum status site_parse(enum site *site, const char *name)
{
    for (int s = 0; s < SITES; s++)
        if (strcmp(NAMES[s], name) == 0) {
            *site = (enum site)s;
            return OK;
        }
    return refuse(E_USAGE, "'%s' is not a site; choose from attn, mlp, res, mlp_in", name);
}

int64_t site_tap_step(struct tap tap)
{
    return (int64_t)tap.layer * SITES + site_order(tap.site);
}

const char *site_tap_name(char name[32], struct tap tap)
{
    snprintf(name, 32, "%s.%02d", site_name(tap.site), tap.layer);
    return name;
}
