#include "step/lists.h"
#include "base/allocate.h"

#include <stdlib.h>

void lists_make_codes(struct codes *codes, int64_t groups, int64_t entries)
{
    *codes = (struct codes){
        .groups = groups,
        .start = allocate(groups + 1, sizeof(int32_t)),
        .middle = allocate(groups, sizeof(int32_t)),
        .index = allocate(entries, sizeof(int32_t)),
        .value = allocate(entries, sizeof(float)),
    };
}

void lists_free_codes(struct codes *codes)
{
    free(codes->start);
    free(codes->middle);
    free(codes->index);
    free(codes->value);
    *codes = (struct codes){0};
}

void lists_make(struct lists *lists, const struct step_sizes *sizes)
{
    *lists = (struct lists){ .pass = { -1, 1 } };
    lists_make_codes(&lists->rows, sizes->needs.batch, sizes->entries);
    for (int g = 1; g < sizes->needs.residuals && g < PREFIXES_MOST; g++)
        lists->group_start[g] = allocate(sizes->needs.batch, sizeof(int32_t));
}

void lists_free(struct lists *lists)
{
    for (int g = 1; g < PREFIXES_MOST; g++)
        free(lists->group_start[g]);
    lists_free_codes(&lists->rows);
    *lists = (struct lists){0};
}

/* Rows hold all that is found, until the entries that are not kept are dropped. */
int64_t lists_bytes(const struct step_sizes *sizes)
{
    const int64_t batch = sizes->needs.batch;

    return step_starts_bytes(batch) + step_entries_bytes(sizes->needs.found)
           + (sizes->needs.residuals - 1) * batch * (int64_t)sizeof(int32_t);
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
