#include "suite/site.h"

#include <stdio.h>
#include <string.h>

static const struct site_traits TRAITS[SITES] = {
#define SITE(id, word, meaning, ...) [SITE_##id] = { .name = word, __VA_ARGS__ },
#include "suite/site.def"
};

const char SITE_WORDS[] =
#define SITE(id, name, meaning, ...) " " name
#include "suite/site.def"
    ;

const char SITE_TARGET_WORDS[] =
#define SITE(id, name, meaning, ...) " " name
#include "suite/site.def"
" input";

const char SITE_MEANING[] =
#define SITE(id, name, meaning, ...) "  " name ": " meaning "."
#include "suite/site.def"
    ;

const struct site_traits *site_traits(enum site site)
{
    return &TRAITS[site];
}

const char *site_name(enum site site)
{
    return TRAITS[site].name;
}

int site_order(enum site site)
{
    return TRAITS[site].order;
}

enum site site_at(int order)
{
    enum site site = 0;

    while (TRAITS[site].order != order)
        site++;
    return site;
}

const char *site_list(char text[SITE_TEXT])
{
    size_t used = 0;

    for (int order = 0; order < SITES && used < SITE_TEXT; order++)
        used += (size_t)snprintf(text + used, SITE_TEXT - used, "%s%s", order > 0 ? ", " : "",
                                 site_name(site_at(order)));
    return text;
}

enum status site_parse(enum site *site, const char *name)
{
    char text[SITE_TEXT];

    for (enum site s = 0; s < SITES; s++)
        if (strcmp(TRAITS[s].name, name) == 0) {
            *site = s;
            return OK;
        }
    return refuse(E_USAGE, "'%s' is not a site; choose from %s", name, site_list(text));
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
