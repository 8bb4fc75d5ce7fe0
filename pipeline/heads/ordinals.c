#include "heads/ordinals.h"
#include "base/allocate.h"
#include "base/json_file.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

/* The id of a word; -1 if it is several tokens. */
static enum status find_id(int32_t *id, const struct tokenizer *tokenizer, const char *word)
{
    int32_t *ids = NULL;
    int64_t count = 0;
    enum status st;

    TRY(tokenizer_encode(tokenizer, word, (int64_t)strlen(word), &ids, &count));
    *id = count == 1 ? ids[0] : -1;
done:
    free(ids);
    return st;
}

static enum status add_word(struct ordinal_class *class, const json_t *word, int32_t place,
                            const char *path, const struct tokenizer *tokenizer)
{
    int32_t id;
    enum status st;

    REQUIRE(json_is_string(word), E_FORMAT, "%s: class \"%s\": word %d is not a text", path,
            class->name, (int)place + 1);
    TRY(find_id(&id, tokenizer, json_string_value(word)));
    if (id < 0)
        goto done;
    for (int32_t i = 0; i < class->count; i++)
        REQUIRE(class->id[i] != id, E_FORMAT, "%s: class \"%s\" has the word \"%s\" twice", path,
                class->name, json_string_value(word));
    class->id[class->count] = id;
    class->place[class->count++] = place;
done:
    return st;
}

static enum status read_class(struct ordinal_class *class, const char *name, const json_t *value,
                              const char *path, const struct tokenizer *tokenizer)
{
    const json_t *words = json_object_get(value, "words"), *first = json_object_get(value, "first");
    const json_t *cyclic = json_object_get(value, "cyclic");
    const size_t length = json_array_size(words);
    enum status st;

    *class = (struct ordinal_class){
        .name = strdup(name),
        .cyclic = json_is_true(cyclic),
        .first = first == NULL ? 1 : json_integer_value(first),
        .length = (int32_t)length,
        .id = allocate((long long)length, sizeof(int32_t)),
        .place = allocate((long long)length, sizeof(int32_t)),
    };
    REQUIRE(length <= INT32_MAX && class->first >= 0 && (first == NULL || json_is_integer(first))
            && (cyclic == NULL || json_is_boolean(cyclic)), E_FORMAT, "%s: class \"%s\" must be "
            "{\"cyclic\": true or false, \"first\": number from 0, \"words\": [...]}", path, name);
    for (size_t i = 0; i < length; i++)
        TRY(add_word(class, json_array_get(words, i), (int32_t)i, path, tokenizer));
    REQUIRE(class->count > 1, E_FORMAT, "%s: class \"%s\" has %d words that are one token of this "
            "model; it needs two (most tokenizers want a space before each word)", path, name,
            (int)class->count);
done:
    return st;
}

enum status ordinals_read(struct ordinals *ordinals, const char *path,
                          const struct tokenizer *tokenizer)
{
    json_t *root = NULL, *value;
    const char *name;
    enum status st;

    *ordinals = (struct ordinals){0};
    TRY(json_file_read(&root, path));
    REQUIRE(json_object_size(root) > 0, E_FORMAT, "%s must be a JSON object of classes: there is "
            "none", path);
    ordinals->classes = allocate((long long)json_object_size(root), sizeof *ordinals->classes);
    json_object_foreach(root, name, value)
        TRY(read_class(&ordinals->classes[ordinals->count++], name, value, path, tokenizer));
done:
    json_decref(root);
    return st;
}

void ordinals_free(struct ordinals *ordinals)
{
    for (int32_t i = 0; i < ordinals->count; i++) {
        free(ordinals->classes[i].name);
        free(ordinals->classes[i].id);
        free(ordinals->classes[i].place);
    }
    free(ordinals->classes);
    *ordinals = (struct ordinals){0};
}

void ordinals_count(const char *path, int64_t *words, int64_t *longest)
{
    json_t *root = json_load_file(path, 0, NULL), *value;
    const char *name;

    *words = *longest = 0;
    json_object_foreach(root, name, value) {
        const int64_t length = (int64_t)json_array_size(json_object_get(value, "words"));
        *words += length;
        *longest = length > *longest ? length : *longest;
    }
    json_decref(root);
}

int32_t ordinals_successor(const struct ordinal_class *class, int32_t i)
{
    if (i + 1 < class->count)
        return class->place[i + 1] == class->place[i] + 1 ? i + 1 : -1;
    return class->cyclic && class->place[i] == class->length - 1 && class->place[0] == 0 ? 0 : -1;
}

int32_t ordinals_find(const struct ordinal_class *class, int64_t number)
{
    for (int32_t i = 0; i < class->count; i++)
        if (ordinals_number(class, i) == number)
            return i;
    return -1;
}

int64_t ordinals_number(const struct ordinal_class *class, int32_t i)
{
    return class->first + class->place[i];
}
