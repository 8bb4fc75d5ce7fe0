#include "methods/sweep_curve.h"
#include "base/allocate.h"
#include "base/file.h"
#include "methods/edge_files.h"
#include "methods/edge_page.h"
#include "methods/task_files.h"
#include "suite/paths.h"

#include <stdio.h>
#include <stdlib.h>

/* The same task with files of another name. */
static struct circuit renamed(const struct circuit *circuit, const char *name)
{
    struct circuit other = *circuit;

    snprintf(other.identity.place, sizeof other.identity.place, "circuit/%s", name);
    return other;
}

/* The points of all tasks; *all is false if a file is not there yet. */
static enum status read_points(const struct circuit *circuit, struct roc_points *points, bool *all)
{
    const int64_t tasks = methods_tasks(circuit->suite);
    char name[METHODS_NAME], path[PATH_LENGTH];
    enum status st = OK;

    *all = true;
    for (int64_t task = 0; task < tasks && *all; task++) {
        methods_name(name, circuit->suite, task);
        const struct circuit other = renamed(circuit, name);
        paths_result(path, circuit->suite, name, ".h5");
        *all = file_exists(path);
        if (*all)
            TRY(edge_files_read_point(&other, path, &points[task]));
    }
done:
    return st;
}

enum status sweep_curve_write(const struct circuit *circuit, const char *name)
{
    const int64_t tasks = methods_tasks(circuit->suite);
    struct roc_points *points = allocate(tasks, sizeof *points);
    const struct circuit curve = renamed(circuit, name);
    json_t *summary = NULL, *roc;
    bool all;
    enum status st;

    TRY(read_points(circuit, points, &all));
    if (all) {
        summary = task_files_summary(&curve);
        roc = roc_points_curve(points, tasks);
        json_object_set_new(summary, "roc", roc);
        TRY(edge_page_roc(&curve, name, roc));
        TRY(task_files_write(&curve, name, json_incref(summary)));
    }
done:
    json_decref(summary);
    free(points);
    return st;
}
