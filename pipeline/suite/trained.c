#include "suite/trained.h"
#include "base/file.h"

#include <stdlib.h>

enum status trained_read(struct suite *trained, const struct suite *suite)
{
    const char *path = suite->circuit.suite;
    char *yaml = NULL, place[SUITE_PLACE];
    int64_t bytes;
    enum status st;

    *trained = (struct suite){0};
    REQUIRE(path[0] != '\0', E_USAGE, "%s: 'circuit.suite' is missing: the suite file whose "
            "autoencoders' latents are nodes", suite->path);
    TRY(suite_check_file(path));
    TRY(file_read(path, &yaml, &bytes));
    TRY(suite_parse(trained, yaml, path));
    REQUIRE(trained->kind == SUITE_SAES, E_USAGE, "%s: %s is a file for a circuit, and trains no "
            "autoencoders", suite_place(place, suite, "circuit", 0, "suite"), path);
done:
    free(yaml);
    return st;
}
