#include "suite/trained.h"
#include "base/file.h"

#include <stdlib.h>

#define TRAINED_WISH(part) \
    { #part, suite->part.suite, suite->part.autoencoders, suite->part.autoencoders_count }

struct trained_wish trained_wish(const struct suite *suite)
{
    const struct trained_wish wishes[SUITE_KINDS] = {
        [SUITE_SAES] = { .section = "", .suite = "" },
        [SUITE_CIRCUIT] = TRAINED_WISH(circuit),
        [SUITE_INTERVENE] = TRAINED_WISH(intervene),
        [SUITE_INVERT] = TRAINED_WISH(invert),
    };

    return wishes[suite->kind];
}

enum status trained_read(struct suite *trained, const struct suite *suite)
{
    const struct trained_wish wish = trained_wish(suite);
    const char *path = wish.suite;
    char *yaml = NULL, place[SUITE_PLACE];
    int64_t bytes;
    enum status st;

    *trained = (struct suite){0};
    REQUIRE(path[0] != '\0', E_USAGE, "%s: '%s.suite' is missing: the suite file whose "
            "autoencoders' latents are meant", suite->path, wish.section);
    TRY(suite_check_file(path));
    TRY(file_read(path, &yaml, &bytes));
    TRY(suite_parse(trained, yaml, path));
    REQUIRE(trained->kind == SUITE_SAES, E_USAGE, "%s: %s is a file for %s, and trains no "
            "autoencoders", suite_place(place, suite, wish.section, 0, "suite"), path,
            kinds_purpose(trained->kind));
done:
    free(yaml);
    return st;
}
