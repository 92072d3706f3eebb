/* SPDX-License-Identifier: Apache-2.0 */
#include "cloud-config/document.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <yaml.h>

#include "base/text.h"
#include "cloud-config/encoding.h"
#include "cloud-config/scalar.h"

void node_free(struct node *node)
{
    if (!node)
        return;
    for (size_t i = 0; i < node->count; i++) {
        free(node->entries[i].key);
        node_free(node->entries[i].value);
    }
    free(node->entries);
    free(node->text);
    free(node);
}

/* What one conversion of libyaml's document into our tree carries along. */
struct builder {
    yaml_document_t *document;
    size_t nodes;
    int fault_line;
    struct error *err;
};

static int refuse(struct builder *b, int line, int code, const char *message)
{
    b->fault_line = line;
    return error_set(b->err, code, "%s", message);
}

static int refuse_entry(struct builder *b, int line, int code)
{
    if (code != -E2BIG)
        return error_oom(b->err);
    return refuse(b, line, code, "more keys in one mapping than allowed");
}

static int line_of(const yaml_node_t *node)
{
    return (int)node->start_mark.line + 1;
}

/* Keeps key, which therefore cannot be const. */
/* NOLINTNEXTLINE(readability-non-const-parameter) */
static int append_entry(struct node *parent, char *key, int line, struct node *value)
{
    if (key && parent->count >= DOCUMENT_MAX_KEYS)
        return -E2BIG;
    /* Grows at powers of two only, so that a long list costs linear time. */
    if ((parent->count & (parent->count - 1)) == 0) {
        size_t room = parent->count ? 2 * parent->count : 1;
        struct node_entry *entries = reallocarray(parent->entries, room, sizeof(*entries));
        if (!entries)
            return -ENOMEM;
        parent->entries = entries;
    }
    parent->entries[parent->count++] = (struct node_entry){ key, line, 0, value };
    return 0;
}

static struct node_entry *find_entry(const struct node *map, const char *key)
{
    for (size_t i = 0; i < map->count; i++)
        if (strcmp(map->entries[i].key, key) == 0)
            return &map->entries[i];
    return NULL;
}

static int merge_pair(struct node *map, char *key, int line, struct node *value);

/* Moves the elements of a list, or the pairs of a mapping, into another of the same kind. */
static int merge_into(struct node *into, struct node *from)
{
    int r = 0;
    for (size_t i = 0; i < from->count && r == 0; i++) {
        struct node_entry *entry = &from->entries[i];
        char *key = take_ptr(entry->key);
        struct node *value = take_ptr(entry->value);
        if (into->kind == NODE_MAP)
            r = merge_pair(into, key, entry->line, value);
        else if ((r = append_entry(into, NULL, entry->line, value)) < 0)
            node_free(value);
    }
    node_free(from);
    return r;
}

/* Takes key and value, also when it fails. */
static int merge_pair(struct node *map, char *key, int line, struct node *value)
{
    struct node_entry *old = find_entry(map, key);
    if (!old) {
        int r = append_entry(map, key, line, value);
        if (r < 0) {
            free(key);
            node_free(value);
        }
        return r;
    }
    free(key);
    old->repeats_line = old->line;
    old->line = line;
    if (old->value->kind == value->kind && (value->kind == NODE_LIST || value->kind == NODE_MAP))
        return merge_into(old->value, value);
    node_free(old->value);
    old->value = value;
    return 0;
}

static int convert(struct builder *b, int index, unsigned depth, struct node **ret);

static bool has_tag(const yaml_node_t *node, const char *tag)
{
    return node->tag && strcmp((const char *)node->tag, tag) == 0;
}

static int convert_binary(struct builder *b, const yaml_node_t *from, struct node *node)
{
    const char *text = (const char *)from->data.scalar.value;
    int r = encoding_base64_decode(text, &node->text, &node->length, NULL);
    if (r < 0)
        return refuse(b, line_of(from), r, "!!binary value contains invalid base64 data");
    node->kind = NODE_STRING;
    node->binary = true;
    return 0;
}

static int convert_scalar(struct builder *b, const yaml_node_t *from, struct node *node)
{
    if (has_tag(from, "tag:yaml.org,2002:binary"))
        return convert_binary(b, from, node);
    node->length = from->data.scalar.length;
    node->text = strndup((const char *)from->data.scalar.value, node->length);
    if (!node->text)
        return error_oom(b->err);
    bool plain = from->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    node->kind = plain ? scalar_kind(node->text) : NODE_STRING;
    return 0;
}

static int convert_list(struct builder *b, const yaml_node_t *from, unsigned depth,
                        struct node *node)
{
    node->kind = NODE_LIST;
    for (yaml_node_item_t *i = from->data.sequence.items.start; i < from->data.sequence.items.top;
         i++) {
        autoptr(node) item = NULL;
        int r = convert(b, *i, depth + 1, &item);
        if (r < 0)
            return r;
        r = append_entry(node, NULL, item->line, item);
        if (r < 0)
            return error_oom(b->err);
        item = NULL;
    }
    return 0;
}

static int read_key(struct builder *b, int index, char **ret, int *ret_line)
{
    const yaml_node_t *node = yaml_document_get_node(b->document, index);
    if (!node || node->type != YAML_SCALAR_NODE)
        return refuse(b, node ? line_of(node) : 1, -EINVAL, "a key must be a plain word");
    char *key = strdup((const char *)node->data.scalar.value);
    if (!key)
        return error_oom(b->err);
    for (char *p = key; *p; p++)
        if (*p == '-')
            *p = '_';
    *ret = key;
    *ret_line = line_of(node);
    return 0;
}

/* "<<: value": pairs that the mapping does not have itself. */
static int merge_defaults(struct builder *b, struct node *map, struct node *defaults)
{
    for (size_t i = 0; i < defaults->count; i++) {
        struct node_entry *entry = &defaults->entries[i];
        if (defaults->kind == NODE_LIST) {
            if (entry->value->kind != NODE_MAP)
                return refuse(b, entry->line, -EINVAL, "map merge requires map or list of maps");
            int r = merge_defaults(b, map, entry->value);
            if (r < 0)
                return r;
        } else if (!find_entry(map, entry->key)) {
            int r = append_entry(map, entry->key, entry->line, entry->value);
            if (r < 0)
                return refuse_entry(b, entry->line, r);
            entry->key = NULL;
            entry->value = NULL;
        }
    }
    return 0;
}

/* Pairs taken out above leave holes; none of them is looked at again. */
static int apply_defaults(struct builder *b, struct node *map, struct node *defaults)
{
    if (defaults->kind != NODE_MAP && defaults->kind != NODE_LIST)
        return refuse(b, defaults->line, -EINVAL, "map merge requires map or list of maps");
    return merge_defaults(b, map, defaults);
}

static int convert_pair(struct builder *b, const yaml_node_pair_t *pair, unsigned depth,
                        struct node *map, struct node *defaults)
{
    autofree char *key = NULL;
    int line = 0;
    int r = read_key(b, pair->key, &key, &line);
    if (r < 0)
        return r;
    autoptr(node) value = NULL;
    r = convert(b, pair->value, depth + 1, &value);
    if (r < 0)
        return r;
    if (strcmp(key, "<<") == 0) {
        r = append_entry(defaults, NULL, line, value);
        if (r == 0)
            value = NULL;
    } else {
        r = merge_pair(map, take_ptr(key), line, take_ptr(value));
    }
    return r < 0 ? refuse_entry(b, line, r) : 0;
}

static int convert_map(struct builder *b, const yaml_node_t *from, unsigned depth,
                       struct node *node)
{
    node->kind = NODE_MAP;
    autoptr(node) defaults = calloc(1, sizeof(*defaults));
    if (!defaults)
        return error_oom(b->err);
    for (yaml_node_pair_t *p = from->data.mapping.pairs.start; p < from->data.mapping.pairs.top;
         p++) {
        int r = convert_pair(b, p, depth, node, defaults);
        if (r < 0)
            return r;
    }
    /* After the rest, because what a mapping says itself wins wherever it stands. */
    for (size_t i = 0; i < defaults->count; i++) {
        int r = apply_defaults(b, node, defaults->entries[i].value);
        if (r < 0)
            return r;
    }
    return 0;
}

static int convert(struct builder *b, int index, unsigned depth, struct node **ret)
{
    const yaml_node_t *from = yaml_document_get_node(b->document, index);
    if (!from)
        return refuse(b, 1, -EINVAL, "a value is missing");
    if (depth > DOCUMENT_MAX_DEPTH)
        return refuse(b, line_of(from), -E2BIG, "nested too deep (or an alias inside its anchor)");
    if (++b->nodes > DOCUMENT_MAX_NODES)
        return refuse(b, line_of(from), -E2BIG, "more values than allowed, aliases counted in");
    autoptr(node) node = calloc(1, sizeof(*node));
    if (!node)
        return error_oom(b->err);
    node->line = line_of(from);
    int r = from->type == YAML_SCALAR_NODE     ? convert_scalar(b, from, node)
            : from->type == YAML_SEQUENCE_NODE ? convert_list(b, from, depth, node)
                                               : convert_map(b, from, depth, node);
    if (r < 0)
        return r;
    *ret = take_ptr(node);
    return 0;
}

static int count_lines(const char *text, size_t offset)
{
    int line = 1;
    for (size_t i = 0; i < offset; i++)
        line += text[i] == '\n';
    return line;
}

/* libyaml knows that an alias is unknown, but not its name: that stands after the mark. */
static int unknown_alias(const char *text, size_t length, const yaml_mark_t *mark,
                         struct error *err)
{
    const char *end = text + length;
    const char *p = text;
    for (size_t line = 0; p && line < mark->line; line++) {
        p = memchr(p, '\n', (size_t)(end - p));
        p = p ? p + 1 : NULL;
    }
    p = p ? memchr(p, '*', (size_t)(end - p)) : NULL;
    size_t n = 0;
    while (p && p + 1 + n < end && !strchr(" \t\r\n,]}:", p[1 + n]))
        n++;
    return error_set(err, -EINVAL, "Unknown anchor '%.*s' referenced", (int)n, p ? p + 1 : "");
}

static int syntax_fault(const yaml_parser_t *parser, const char *text, size_t length, int *ret_line,
                        struct error *err)
{
    if (parser->error == YAML_MEMORY_ERROR)
        return error_oom(err);
    const char *problem = parser->problem ? parser->problem : "not YAML";
    if (parser->error == YAML_READER_ERROR) {
        size_t offset = parser->problem_offset < length ? parser->problem_offset : length;
        *ret_line = count_lines(text, offset);
        return error_set(err, -EINVAL, "%s", problem);
    }
    /* A fault at the end of the text is marked behind its last line. */
    int last = count_lines(text, length ? length - 1 : 0);
    *ret_line = (int)parser->problem_mark.line + 1;
    if (*ret_line > last)
        *ret_line = last;
    if (parser->error == YAML_COMPOSER_ERROR && strcmp(problem, "found undefined alias") == 0)
        return unknown_alias(text, length, &parser->problem_mark, err);
    return error_set(err, -EINVAL, "%s", problem);
}

static int empty_document(struct node **ret, struct error *err)
{
    struct node *node = calloc(1, sizeof(*node));
    if (!node)
        return error_oom(err);
    *node = (struct node){ .kind = NODE_NULL, .line = 1 };
    *ret = node;
    return 0;
}

static int convert_document(yaml_document_t *document, struct node **ret, int *ret_line,
                            struct error *err)
{
    if (!yaml_document_get_root_node(document))
        return empty_document(ret, err);
    struct builder b = { .document = document, .err = err };
    int r = convert(&b, 1, 0, ret);
    if (r < 0)
        *ret_line = b.fault_line;
    return r;
}

/* How one event changes the depth. */
static int depth_change(const yaml_event_t *event)
{
    yaml_event_type_t type = event->type;
    return (type == YAML_SEQUENCE_START_EVENT || type == YAML_MAPPING_START_EVENT) -
           (type == YAML_SEQUENCE_END_EVENT || type == YAML_MAPPING_END_EVENT);
}

static bool has_anchor(const yaml_event_t *event)
{
    yaml_event_type_t type = event->type;
    return (type == YAML_SCALAR_EVENT && event->data.scalar.anchor) ||
           (type == YAML_SEQUENCE_START_EVENT && event->data.sequence_start.anchor) ||
           (type == YAML_MAPPING_START_EVENT && event->data.mapping_start.anchor);
}

/* Walks the events of the first document. libyaml's time grows with the square of the depth of
 * nesting (a hundred kilobytes of '[' take a minute) and with that of the anchors, so this gives up
 * where that begins. A syntax fault is left to the loader, which comes to the same place. */
static int check_bounds(yaml_parser_t *parser, int *ret_line, struct error *err)
{
    int depth = 0, anchors = 0;
    bool more = true;
    while (more) {
        yaml_event_t event;
        if (!yaml_parser_parse(parser, &event))
            return 0;
        depth += depth_change(&event);
        anchors += has_anchor(&event);
        more = event.type != YAML_DOCUMENT_END_EVENT && event.type != YAML_STREAM_END_EVENT;
        int line = (int)event.start_mark.line + 1;
        yaml_event_delete(&event);
        if (depth > DOCUMENT_MAX_DEPTH || anchors > DOCUMENT_MAX_ANCHORS) {
            *ret_line = line;
            return error_set(err, -E2BIG, "%s",
                             depth > DOCUMENT_MAX_DEPTH ? "nested too deep" : "too many anchors");
        }
    }
    return 0;
}

static int load(yaml_parser_t *parser, const char *text, size_t length, struct node **ret,
                int *ret_line, struct error *err)
{
    yaml_document_t document;
    if (!yaml_parser_load(parser, &document))
        return syntax_fault(parser, text, length, ret_line, err);
    int r = convert_document(&document, ret, ret_line, err);
    yaml_document_delete(&document);
    return r;
}

static int start_parser(yaml_parser_t *parser, const char *text, size_t length, struct error *err)
{
    if (!yaml_parser_initialize(parser))
        return error_oom(err);
    yaml_parser_set_input_string(parser, (const unsigned char *)text, length);
    return 0;
}

int document_parse(const char *text, size_t length, struct node **ret, int *ret_line,
                   struct error *err)
{
    *ret_line = 1;
    if (length > DOCUMENT_MAX_BYTES)
        return error_set(err, -E2BIG, "more than %d bytes", (int)DOCUMENT_MAX_BYTES);
    yaml_parser_t parser;
    int r = start_parser(&parser, text, length, err);
    if (r < 0)
        return r;
    r = check_bounds(&parser, ret_line, err);
    yaml_parser_delete(&parser);
    if (r == 0)
        r = start_parser(&parser, text, length, err);
    if (r < 0)
        return r;
    r = load(&parser, text, length, ret, ret_line, err);
    yaml_parser_delete(&parser);
    return r;
}

const struct node_entry *node_find_entry(const struct node *map, const char *key)
{
    return map && map->kind == NODE_MAP ? find_entry(map, key) : NULL;
}

const struct node *node_find(const struct node *map, const char *key)
{
    const struct node_entry *entry = node_find_entry(map, key);
    return entry ? entry->value : NULL;
}

bool node_is_scalar(const struct node *node)
{
    return node && node->kind >= NODE_BOOL && node->kind <= NODE_STRING;
}

const char *node_text(const struct node *node)
{
    return node_is_scalar(node) ? node->text : "";
}

bool node_bool(const struct node *node)
{
    if (!node || node->kind != NODE_BOOL)
        return false;
    bool on = node->text[0] == 'o' || node->text[0] == 'O';
    return on ? strlen(node->text) == 2 : strchr("yYtT", node->text[0]) != NULL;
}

bool node_int(const struct node *node, int64_t *ret)
{
    if (node && node->kind == NODE_INT)
        return scalar_parse_int(node->text, ret);
    double value;
    if (!node_float(node, &value) || !(fabs(value) < 9e18))
        return false;
    *ret = (int64_t)value;
    return true;
}

bool node_float(const struct node *node, double *ret)
{
    int64_t whole;
    if (node && node->kind == NODE_INT && scalar_parse_int(node->text, &whole)) {
        *ret = (double)whole;
        return true;
    }
    if (!node || (node->kind != NODE_FLOAT && node->kind != NODE_INT))
        return false;
    *ret = scalar_parse_float(node->text);
    return true;
}
