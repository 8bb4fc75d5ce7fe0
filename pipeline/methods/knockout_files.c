#include "methods/knockout_files.h"
#include "base/allocate.h"
#include "base/json_file.h"
#include "methods/task_files.h"
#include "suite/paths.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { VERSION = 1 };

static const char FORMAT[] = "saemill knockout", VALUES_FORMAT[] = "saemill knockout values";

/* --- a circuit ----------------------------------------------------------------------- */

static enum status read_node(bool *set, const json_t *node, const char *path,
                             const struct lm_config *config, const bool *used)
{
    const char *head = json_string_value(json_object_get(node, "head"));
    const char *name = json_string_value(json_object_get(node, "class"));
    const int class = name == NULL ? -1 : knockout_class_parse(name);
    int layer, number, end = 0;
    enum status st = OK;

    REQUIRE(head != NULL && sscanf(head, "%d.%d%n", &layer, &number, &end) == 2
            && head[end] == '\0' && class >= 0, E_FORMAT, "%s: an item of \"nodes\" is not like "
            "{\"head\": \"2.4\", \"class\": \"END\"}; classes are IO, S1, S1+1, S2, END and rest",
            path);
    REQUIRE(0 <= layer && layer < config->layers && 0 <= number && number < config->heads,
            E_FORMAT, "%s: there is no head %s: the model has %d layers of %d heads, numbered from "
            "0", path, head, config->layers, config->heads);
    REQUIRE(used[class], E_FORMAT, "%s has a node of the class %s, but no prompt has such a "
            "position", path, name);
    set[((int64_t)layer * config->heads + number) * KNOCKOUT_CLASSES + class] = true;
done:
    return st;
}

enum status knockout_files_read(bool *set, const char *path, const struct lm_config *config,
                                const bool used[KNOCKOUT_CLASSES])
{
    json_t *file = NULL;
    const json_t *nodes, *node;
    size_t i;
    enum status st;

    REQUIRE(file_exists(path), E_IO, "there is no file of a circuit %s; see circuit.nodes", path);
    TRY(json_file_read(&file, path));
    nodes = json_object_get(file, "nodes");
    REQUIRE(json_is_array(nodes), E_FORMAT, "%s has no list \"nodes\"", path);
    memset(set, false, (size_t)config->layers * (size_t)config->heads * KNOCKOUT_CLASSES);
    json_array_foreach(nodes, i, node)
        TRY(read_node(set, node, path, config, used));
    st = OK;
done:
    json_decref(file);
    return st;
}

/* --- HDF5 ---------------------------------------------------------------------------- */

/* Layer, head and class of some nodes.
 *   nodes [count]  in */
static enum status write_nodes(hid_t file, const char *path, const char *name,
                               const struct node_space *space, const int64_t *nodes, int64_t count)
{
    int32_t *columns = allocate(3 * count, sizeof *columns);

    for (int64_t i = 0; i < count; i++) {
        const int32_t node = (int32_t)nodes[i], head = node / space->classes;
        columns[3 * i] = head / space->heads;
        columns[3 * i + 1] = head % space->heads;
        columns[3 * i + 2] = node % space->classes;
    }
    const enum status st = h5_write_array(file, path, name, H5T_NATIVE_INT32, columns, count, 3);
    free(columns);
    return st;
}

static enum status write_doubles(hid_t file, const char *path, const char *name,
                                 const double *values, int64_t rows, int64_t columns)
{
    return h5_write_array(file, path, name, H5T_NATIVE_DOUBLE, values, rows, columns);
}

static enum status write_steps(hid_t file, const char *path, const struct knockout_results *r)
{
    const struct node_search *search = &r->search;
    int64_t *nodes = allocate(search->count, sizeof *nodes);
    int32_t *removed = allocate(search->count, sizeof *removed);
    double *values = allocate(search->count, sizeof *values);
    enum status st;

    for (int64_t i = 0; i < search->count; i++) {
        nodes[i] = search->steps[i].node;
        removed[i] = search->steps[i].removed;
        values[i] = search->steps[i].value;
    }
    TRY(write_doubles(file, path, "single", search->single,
                      (int64_t)r->space->layers * r->space->heads, r->space->classes));
    TRY(write_nodes(file, path, "step_node", r->space, nodes, search->count));
    TRY(h5_write_array(file, path, "step_removed", H5T_NATIVE_INT32, removed, search->count, 0));
    TRY(write_doubles(file, path, "step_value", values, search->count, 0));
done:
    free(values);
    free(removed);
    free(nodes);
    return st;
}

static enum status write_sets(hid_t file, const char *path, const struct knockout_results *r)
{
    const int64_t nodes = node_search_nodes(r->space), count = r->sets.count;
    int32_t *members = allocate(count * nodes, sizeof *members);
    double *values = allocate(2 * count, sizeof *values);
    enum status st;

    for (int64_t s = 0; s < count; s++) {
        for (int64_t v = 0; v < nodes; v++)
            members[s * nodes + v] = r->sets.set[s].nodes[v];
        values[2 * s] = r->sets.set[s].circuit;
        values[2 * s + 1] = r->sets.set[s].whole;
    }
    TRY(h5_write_array(file, path, "set_nodes", H5T_NATIVE_INT32, members, count, nodes));
    TRY(write_doubles(file, path, "set_value", values, count, 2));
done:
    free(values);
    free(members);
    return st;
}

/* The circuit's nodes and their minimality. */
static enum status write_circuit(hid_t file, const char *path, const struct knockout_results *r)
{
    const int64_t nodes = node_search_nodes(r->space);
    int64_t *list = allocate(nodes, sizeof *list), count = 0;
    double *values = allocate(4 * nodes, sizeof *values);
    enum status st;

    for (int64_t v = 0; v < nodes; v++)
        if (r->search.circuit[v]) {
            const struct node_minimality *m = &r->minimality[v];
            values[4 * count] = m->without;
            values[4 * count + 1] = m->circuit;
            values[4 * count + 2] = m->without_both;
            values[4 * count + 3] = m->without_others;
            list[count++] = v;
        }
    TRY(write_nodes(file, path, "nodes", r->space, list, count));
    TRY(write_doubles(file, path, "minimality", values, count, 4));
done:
    free(values);
    free(list);
    return st;
}

static const char *const DIFFERENCES[KNOCKOUT_MODELS] = {
    [KNOCKOUT_WHOLE]   = "logit_difference",
    [KNOCKOUT_CIRCUIT] = "logit_difference_circuit",
    [KNOCKOUT_EMPTY]   = "logit_difference_empty",
};

static enum status write_table(const struct knockout_results *r, const char *name)
{
    char path[PATH_LENGTH], part[PATH_LENGTH];
    hid_t file = -1;
    enum status st;

    paths_result(path, r->circuit->suite, name, ".h5");
    TRY(task_files_create(&file, part, path, r->circuit, FORMAT, VERSION));
    TRY(task_files_write_prompts(file, part, r->circuit->prompts));
    if (r->search.count > 0)
        TRY(write_steps(file, part, r));
    TRY(write_circuit(file, part, r));
    TRY(write_sets(file, part, r));
    for (int m = 0; m < KNOCKOUT_MODELS; m++)
        TRY(write_doubles(file, part, DIFFERENCES[m], r->difference[m],
                          r->circuit->prompts->count, 0));
done:
    return task_files_publish(&file, part, path, st);
}

double knockout_files_bytes(const struct lm_config *config, struct circuit_shape shape)
{
    const double nodes = (double)config->layers * config->heads * KNOCKOUT_CLASSES;

    return (double)shape.prompts * (KNOCKOUT_MODELS * sizeof(double)
                                    + 2 * (double)shape.tokens * sizeof(int32_t))
         + nodes * (6 * sizeof(double) + 7 * sizeof(int32_t));
}

/* --- JSON ---------------------------------------------------------------------------- */

static json_t *nodes_json(const struct knockout_results *r)
{
    json_t *list = json_array();

    for (int64_t v = 0; v < node_search_nodes(r->space); v++) {
        const struct node_minimality *m = &r->minimality[v];
        if (!r->search.circuit[v])
            continue;
        json_t *node = json_object();
        json_object_set_new(node, "head",
                            task_files_head(r->circuit->config, v / KNOCKOUT_CLASSES));
        json_object_set_new(node, "class", json_string(knockout_class_name(
                                (int)(v % KNOCKOUT_CLASSES))));
        if (r->search.count > 0)
            task_files_put(node, "single", r->search.single[v]);
        task_files_put(node, "minimality", fabs(m->without_both - m->without_others));
        json_array_append_new(list, node);
    }
    return list;
}

static json_t *sets_json(const struct knockout_results *r, double *worst)
{
    json_t *list = json_array();

    *worst = 0;
    for (int64_t s = 0; s < r->sets.count; s++) {
        const struct node_set *set = &r->sets.set[s];
        json_t *object = json_object();
        int64_t count = 0;
        for (int64_t v = 0; v < node_search_nodes(r->space); v++)
            count += set->nodes[v];
        json_object_set_new(object, "set", json_string(set->label));
        json_object_set_new(object, "nodes", json_integer(count));
        task_files_put(object, "circuit_without", set->circuit);
        task_files_put(object, "whole_without", set->whole);
        json_array_append_new(list, object);
        *worst = fmax(*worst, fabs(set->circuit - set->whole));
    }
    return list;
}

static json_t *summary_json(const struct knockout_results *r)
{
    json_t *summary = task_files_summary(r->circuit);
    double worst;

    json_object_set_new(summary, "prompts", json_integer(r->circuit->prompts->count));
    for (int m = 0; m < KNOCKOUT_MODELS; m++)
        task_files_put(summary, DIFFERENCES[m], r->mean[m]);
    task_files_put(summary, "faithfulness",
                   fabs(r->mean[KNOCKOUT_WHOLE] - r->mean[KNOCKOUT_CIRCUIT]));
    json_object_set_new(summary, "nodes", nodes_json(r));
    json_object_set_new(summary, "sets", sets_json(r, &worst));
    task_files_put(summary, "incompleteness", worst);
    return summary;
}

enum status knockout_files_write(const struct knockout_results *r, const char *name)
{
    json_t *summary = NULL;
    enum status st;

    TRY(write_table(r, name));
    summary = summary_json(r);
    run_note(r->circuit->run, "%lld nodes keep %.3f of a logit difference of %.3f",
             (long long)json_array_size(json_object_get(summary, "nodes")),
             r->mean[KNOCKOUT_CIRCUIT], r->mean[KNOCKOUT_WHOLE]);
    TRY(knockout_files_write_page(r, name, summary));
    TRY(task_files_write(r->circuit, name, json_incref(summary)));
done:
    json_decref(summary);
    return st;
}

/* --- values so far ------------------------------------------------------------------- */

enum status knockout_files_save(const struct circuit *circuit, const char *name,
                                const double *values, int64_t count)
{
    char path[PATH_LENGTH], part[PATH_LENGTH];
    hid_t file = -1;
    enum status st;

    paths_result(path, circuit->suite, name, KNOCKOUT_FILES_VALUES);
    TRY(task_files_create(&file, part, path, circuit, VALUES_FORMAT, VERSION));
    TRY(write_doubles(file, part, "value", values, count, 0));
done:
    return task_files_publish(&file, part, path, st);
}

static enum status read_values(hid_t file, const char *path, double **values, int64_t *count)
{
    int64_t columns;
    enum status st;

    TRY(h5_shape(file, path, "value", count, &columns));
    *values = allocate(*count, sizeof **values);
    TRY(h5_read_array(file, path, "value", H5T_NATIVE_DOUBLE, *values, *count, 0));
done:
    return st;
}

enum status knockout_files_resume(const struct circuit *circuit, const char *name,
                                  double **values, int64_t *count)
{
    char path[PATH_LENGTH];
    hid_t file = -1;
    enum status st = OK;

    *values = NULL;
    *count = 0;
    paths_result(path, circuit->suite, name, KNOCKOUT_FILES_VALUES);
    if (!file_exists(path))
        return OK;
    TRY(h5_open(&file, path));
    TRY(h5_check_format(file, path, VALUES_FORMAT, VERSION));
    TRY(identity_check(file, path, &circuit->identity));
    TRY(read_values(file, path, values, count));
done:
    return h5_close(&file, path, st);
}
