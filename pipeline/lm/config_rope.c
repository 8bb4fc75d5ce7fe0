#include "lm/config_rope.h"

#include <string.h>

/* What one place says. */
struct said {
    bool   any;         /* is the object there? */
    struct rope rope;   /* base 0: it does not say; no width */
    double share;       /* of a head that turns; 0: it does not say */
};

/* --- an object: "rope_scaling", or one of "rope_parameters" -------------------------- */

/* A number of one of the objects: `absent` if it has no such member. */
static enum status read_number(double *value, const struct config_file *file, const char *key,
                               const json_t *object, const char *member, double absent)
{
    const json_t *found = json_object_get(object, member);
    enum status st = OK;

    *value = absent;
    if (found == NULL || json_is_null(found))
        goto done;
    *value = json_number_value(found);
    REQUIRE(json_is_number(found) && *value > 0 && *value <= 1e30, E_FORMAT,
            "%s: \"%s\" of \"%s\" must be a number above 0", file->path, member, key);
done:
    return st;
}

/* The type; "default" if there is none, and nothing that would need one. */
static enum status read_type(const char **name, const struct config_file *file, const char *key,
                             const json_t *object)
{
    const json_t *type = json_object_get(object, "rope_type");
    const json_t *older = json_object_get(object, "type");
    enum status st;

    REQUIRE(type == NULL || older == NULL || json_equal(type, older), E_FORMAT,
            "%s: \"rope_type\" and \"type\" of \"%s\" differ", file->path, key);
    type = type != NULL ? type : older;
    REQUIRE(type == NULL ? json_object_get(object, "factor") == NULL : json_is_string(type),
            E_FORMAT, "%s: the \"rope_type\" of \"%s\" must be a name", file->path, key);
    *name = type == NULL ? "default" : json_string_value(type);
    REQUIRE(strcmp(*name, "default") == 0 || strcmp(*name, "linear") == 0
            || strcmp(*name, "llama3") == 0, E_FORMAT, "%s: the \"rope_type\" of \"%s\" is "
            "\"%.40s\", but must be \"default\", \"linear\" or \"llama3\"", file->path, key, *name);
done:
    return st;
}

static enum status check_members(const struct config_file *file, const char *key, json_t *object,
                                 bool llama3)
{
    static const char *const KNOWN[] = {
        "rope_type", "type", "factor", "rope_theta", "partial_rotary_factor",
        "original_max_position_embeddings", "low_freq_factor", "high_freq_factor",  /* llama3 */
    };
    const size_t count = sizeof KNOWN / sizeof *KNOWN - (llama3 ? 0 : 3);
    const char *member;
    json_t *value;
    enum status st = OK;

    json_object_foreach(object, member, value) {
        bool known = json_is_null(value);
        for (size_t i = 0; i < count; i++)
            known = known || strcmp(KNOWN[i], member) == 0;
        REQUIRE(known, E_FORMAT, "%s: the member \"%.80s\" of \"%s\" is not known", file->path,
                member, key);
    }
done:
    return st;
}

static enum status read_bands(struct rope *rope, const struct config_file *file, const char *key,
                              const json_t *object)
{
    enum status st;

    TRY(read_number(&rope->original, file, key, object, "original_max_position_embeddings", 0));
    TRY(read_number(&rope->low, file, key, object, "low_freq_factor", 0));
    TRY(read_number(&rope->high, file, key, object, "high_freq_factor", 0));
    REQUIRE(rope->original > 0 && rope->low > 0 && rope->high > rope->low, E_FORMAT,
            "%s: \"%s\" of type \"llama3\" must have \"original_max_position_embeddings\", "
            "\"low_freq_factor\" and a \"high_freq_factor\" above it", file->path, key);
done:
    return st;
}

static enum status read_object(struct said *said, const struct config_file *file, const char *key,
                               json_t *object)
{
    const char *type;
    enum status st;

    REQUIRE(json_is_object(object), E_FORMAT, "%s: \"%s\" must be null or an object", file->path,
            key);
    TRY(read_type(&type, file, key, object));
    const bool divides = strcmp(type, "default") != 0, llama3 = strcmp(type, "llama3") == 0;
    TRY(check_members(file, key, object, llama3));
    TRY(read_number(&said->rope.base, file, key, object, "rope_theta", 0));
    TRY(read_number(&said->share, file, key, object, "partial_rotary_factor", 0));
    TRY(read_number(&said->rope.factor, file, key, object, "factor", divides ? 0 : 1));
    REQUIRE(said->rope.factor >= 1 && (divides || said->rope.factor == 1), E_FORMAT, "%s: "
            "\"factor\" of \"%s\" must be at least 1, and 1 or absent if the type is \"default\"",
            file->path, key);
    if (llama3)
        TRY(read_bands(&said->rope, file, key, object));
    said->any = true;
done:
    return st;
}

/* The object in "rope_parameters" for this kind of layer; NULL if the file has none. */
static enum status find_parameters(json_t **object, const struct config_file *file,
                                   const char *kind)
{
    const char *member;
    json_t *value;
    enum status st = OK;

    *object = NULL;
    if (!config_file_has(file, "rope_parameters"))
        goto done;
    *object = config_file_get(file, "rope_parameters");
    if (kind == NULL)
        goto done;
    json_object_foreach(*object, member, value)
        REQUIRE(strcmp(member, "full_attention") == 0 || strcmp(member, "sliding_attention") == 0,
                E_FORMAT, "%s: \"rope_parameters\" must have a member for each kind of layer, "
                "\"full_attention\" and \"sliding_attention\", and not \"%.80s\"", file->path,
                member);
    *object = json_object_get(*object, kind);
    REQUIRE(*object != NULL, E_FORMAT, "%s: \"rope_parameters\" lacks \"%s\"", file->path, kind);
done:
    return st;
}

/* --- both forms ---------------------------------------------------------------------- */

/* Two places may say the same number, but not different ones; 0 says nothing. */
static enum status join(double *into, double from, const struct config_file *file,
                        const char *key, const char *other)
{
    enum status st;

    REQUIRE(*into == 0 || from == 0 || *into == from, E_FORMAT, "%s: \"%s\" is %g, but %g in "
            "\"%s\"; they must be the same", file->path, key, *into, from, other);
    if (*into == 0)
        *into = from;
done:
    return st;
}

/* The keys outside the objects. */
static enum status read_plain(struct said *said, const struct config_file *file,
                              const struct config_rope_keys *keys)
{
    enum status st;

    TRY(config_file_optional(&said->rope.base, file, keys->theta));
    if (keys->share != NULL)
        TRY(config_file_optional(&said->share, file, keys->share));
done:
    return st;
}

/* Add what an object says; what stretches the positions is in the objects alone. */
static enum status add_object(struct said *all, const struct said *object,
                              const struct config_file *file, const struct config_rope_keys *keys,
                              const char *name)
{
    const char *share = keys->share != NULL ? keys->share : "partial_rotary_factor";
    const struct rope *a = &all->rope, *b = &object->rope;
    enum status st = OK;

    if (!object->any)
        goto done;
    REQUIRE(!all->any
                || (a->factor == b->factor && a->original == b->original && a->low == b->low
                    && a->high == b->high), E_FORMAT,
            "%s: \"%s\" stretches positions in another way than \"%s\"; they must be the same",
            file->path, keys->scaling, name);
    TRY(join(&all->rope.base, b->base, file, keys->theta, name));
    TRY(join(&all->share, object->share, file, share, name));
    const double base = all->rope.base;
    all->rope = *b;
    all->rope.base = base;
    all->any = true;
done:
    return st;
}

static enum status read_said(struct said *said, const struct config_file *file,
                             const struct config_rope_keys *keys)
{
    struct said older = {0}, newer = {0};
    json_t *object;
    enum status st;

    TRY(read_plain(said, file, keys));
    if (keys->scaling != NULL && config_file_has(file, keys->scaling))
        TRY(read_object(&older, file, keys->scaling, config_file_get(file, keys->scaling)));
    TRY(find_parameters(&object, file, keys->kind));
    if (object != NULL)
        TRY(read_object(&newer, file, "rope_parameters", object));
    TRY(add_object(said, &older, file, keys, keys->scaling));
    TRY(add_object(said, &newer, file, keys, "rope_parameters"));
done:
    return st;
}

enum status config_rope_read(struct rope *rope, const struct config_file *file,
                             const struct config_rope_keys *keys, int32_t head_width)
{
    struct said said = { .rope = { .factor = 1 } };
    enum status st;

    TRY(read_said(&said, file, keys));
    if (said.rope.base == 0)
        said.rope.base = keys->absent_theta;
    if (said.share == 0)
        said.share = keys->share != NULL ? keys->absent_share : 1;
    REQUIRE(said.rope.base > 0, E_FORMAT, "%s lacks the key \"%s\" (expected: a number above 0), "
            "and \"rope_parameters\" does not say it either", file->path, keys->theta);
    REQUIRE(said.share <= 1 && (keys->share != NULL || said.share == 1), E_FORMAT, "%s: \"%s\" "
            "must be %s1", file->path, keys->share != NULL ? keys->share : "partial_rotary_factor",
            keys->share != NULL ? "at most " : "");
    *rope = said.rope;
    rope->width = (int32_t)(head_width * said.share);
    REQUIRE(rope->width > 0 && rope->width % 2 == 0, E_FORMAT,
            "%s: RoPE turns pairs of dimensions, but %d of a head's %d would turn; check "
            "\"head_dim\"%s%s", file->path, (int)rope->width, (int)head_width,
            keys->share != NULL ? " and " : "", keys->share != NULL ? keys->share : "");
done:
    return st;
}
