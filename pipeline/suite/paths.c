#include "suite/paths.h"
#include "suite/stages.h"

void paths_tokens(char path[PATH_LENGTH], const struct suite *suite, int64_t file)
{
    path_print(path, "%s/tokens/%05lld.h5", suite->run, (long long)file);
}

void paths_harvest(char path[PATH_LENGTH], const struct suite *suite, int64_t shard)
{
    path_print(path, "%s/harvest/%05lld", suite->run, (long long)shard);
}

void paths_shuffle(char path[PATH_LENGTH], const struct suite *suite, struct tap tap)
{
    char name[32];

    path_print(path, "%s/shuffle/%s", suite->run, site_tap_name(name, tap));
}

void paths_sae(char path[PATH_LENGTH], const struct suite *suite, struct tap tap,
               const char *name, const char *ending)
{
    char folder[32];

    path_print(path, "%s/train/%s/%s%s", suite->run, site_tap_name(folder, tap), name, ending);
}

void paths_trained(char path[PATH_LENGTH], const struct suite *suite, const char *name)
{
    path_print(path, "%s/train/%s.h5", suite->run, name);
}

void paths_scores(char path[PATH_LENGTH], const struct suite *suite, struct tap tap,
                  const char *name)
{
    char folder[32];

    path_print(path, "%s/evaluate/%s/%s.json", suite->run, site_tap_name(folder, tap), name);
}

void paths_inputs(char path[PATH_LENGTH], const struct suite *suite)
{
    path_print(path, "%s/inputs", suite->run);
}

void paths_release(char path[PATH_LENGTH], const struct suite *suite)
{
    path_print(path, "%s/release", suite->run);
}

void paths_result(char path[PATH_LENGTH], const struct suite *suite, const char *name,
                  const char *ending)
{
    path_print(path, "%s/%s/%s%s", suite->run, stage_row(stage_last(suite))->folder, name, ending);
}
