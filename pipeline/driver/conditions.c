#include "driver/conditions.h"
#include "base/file.h"
#include "base/limits.h"
#include "base/memory.h"
#include "driver/command.h"
#include "driver/cores.h"
#include "driver/launch.h"
#include "driver/layout.h"
#include "driver/suite_model.h"
#include "suite/paths.h"

enum status conditions_check_programs(const struct suite *suite)
{
    char release[PATH_LENGTH];
    enum status st;

    paths_release(release, suite);
    REQUIRE(!suite_has_stage(suite, STAGE_RELEASE) || file_exists(release)
                || command_exists("gnuplot"),
            E_IO,
            "there is no gnuplot in PATH; "
            "release draws with it: install it (Debian: gnuplot-nox) or load its module");
done:
    return st;
}

/* Has each rank the address space that its stage will ask for? */
static enum status check_address_space(const struct suite *suite)
{
    struct lm_config model;
    enum status st = OK;

    if (suite_model_read(&model, suite) != OK) {
        refuse_clear();     /* whoever counts will say it */
        return OK;
    }
    for (int s = 0; s < STAGES; s++) {
        if (!suite_has_stage(suite, (enum stage)s))
            continue;
        const struct layout layout = layout_of((enum stage)s, suite, &model, layout_nodes_here());
        TRY(limits_check_address_space(layout.bytes - MEMORY_BASE + layout.node_bytes,
                                       layout.threads, stage_name((enum stage)s)));
    }
done:
    return st;
}

enum status conditions_check(const struct suite *suite)
{
    enum status st;

    TRY(launch_check_starter(STARTER_MPIRUN));
    TRY(conditions_check_programs(suite));
    TRY(limits_check_ranks(cores_available()));
    TRY(check_address_space(suite));
done:
    return st;
}
