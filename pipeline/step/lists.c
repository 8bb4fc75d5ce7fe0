#include "step/lists.h"

void lists_codes_storage(struct codes *codes, int64_t groups, int64_t entries, double used,
                         struct storage *storage)
{
    STORAGE(storage, codes->start, groups + 1);
    STORAGE(storage, codes->middle, groups);
    STORAGE_ENTRIES(storage, codes->index, entries, used);
    STORAGE_ENTRIES(storage, codes->value, entries, used);
}

/* Rows hold all that is found, until the entries that are not kept are dropped. */
void lists_storage(struct lists *lists, const struct step_sizes *sizes, struct storage *storage)
{
    lists_codes_storage(&lists->rows, sizes->needs.batch, sizes->entries, sizes->needs.found,
                        storage);
    for (int g = 1; g < sizes->needs.groups; g++)
        STORAGE(storage, lists->group_start[g], sizes->needs.batch);
}

struct section lists_group(const struct lists *lists, int group)
{
    const bool last = group == lists->groups - 1;

    return (struct section){ group == 0 ? lists->rows.start : lists->group_start[group],
                             last ? lists->rows.middle : lists->group_start[group + 1] };
}

struct section lists_auxiliary(const struct lists *lists)
{
    return (struct section){ lists->rows.middle, lists->rows.start + 1 };
}

void lists_find_groups(struct lists *lists, const struct training *training)
{
    const struct codes *rows = &lists->rows;

    lists->groups = training_groups(training);
    for (int g = 1; g < lists->groups; g++) {
        const int64_t first = recipe_group(&training->recipe, training->latents, g).first;
        const int32_t *before = lists_group(lists, g - 1).start;
        #pragma omp parallel for
        for (int64_t row = 0; row < rows->groups; row++) {
            int32_t at = before[row];
            while (at < rows->middle[row] && rows->index[at] < first)
                at++;
            lists->group_start[g][row] = at;
        }
    }
}
