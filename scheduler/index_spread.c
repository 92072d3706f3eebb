/* SPDX-License-Identifier: Apache-2.0 */
/* Metadata keys that Spread= names: which machines share a value, and how many of a family each
 * value has. */
#include <string.h>

#include "scheduler/bits.h"
#include "scheduler/model_data.h"

static uint64_t spread_hash_of(const void *item)
{
    return ((const struct spread *)item)->hash;
}

static bool spread_is(const void *item, const void *key)
{
    return strcmp(((const struct spread *)item)->key, key) == 0;
}

static const struct table_kind spread_kind = { spread_hash_of, spread_is };

/* Static metadata alone: what a role says of a machine is no place. */
const char *index_spread_value(const struct machine *machine, const char *key)
{
    for (size_t i = 0; i < machine->member.metadata_count; i++)
        if (strcmp(machine->member.metadata[i].key, key) == 0)
            return machine->member.metadata[i].value;
    return "";
}

/* --- domains --- */

static void forget_domains(struct spread *spread)
{
    for (size_t i = 0; i < spread->domain_count; i++) {
        free(spread->domains[i].value);
        free(spread->domains[i].bits);
    }
    free(spread->domains);
    free(spread->domain_of);
    spread->domains = NULL;
    spread->domain_of = NULL;
    spread->domain_count = 0;
}

struct located {
    const char *value;
    uint32_t number;
};

static int compare_located(const void *a, const void *b)
{
    const struct located *left = a;
    const struct located *right = b;
    int r = strcmp(left->value, right->value);
    return r ? r : (left->number > right->number) - (left->number < right->number);
}

static struct located *locate(const struct model *model, const struct spread *spread)
{
    struct located *all = calloc(model->machine_count + 1, sizeof(*all));
    for (size_t i = 0; all && i < model->machine_count; i++)
        all[i] = (struct located){ index_spread_value(model->index.by_number[i], spread->key),
                                   (uint32_t)i };
    if (all)
        qsort(all, model->machine_count, sizeof(*all), compare_located);
    return all;
}

/* Those of one value, which are sorted by number. */
static bool add_domain(struct spread *spread, const struct located *first, size_t count)
{
    struct domain *domain = &spread->domains[spread->domain_count++];
    domain->value = strdup(first->value);
    domain->first = first->number / BITS_PER_WORD;
    domain->words = first[count - 1].number / BITS_PER_WORD - domain->first + 1;
    domain->bits = calloc(domain->words, sizeof(*domain->bits));
    if (!domain->bits || !domain->value)
        return false;
    for (size_t i = 0; i < count; i++) {
        bits_set(domain->bits, first[i].number - domain->first * BITS_PER_WORD);
        spread->domain_of[first[i].number] = (uint32_t)(spread->domain_count - 1);
    }
    return true;
}

bool index_spread_build(struct model *model, struct spread *spread)
{
    size_t count = model->machine_count;
    forget_domains(spread);
    spread->domains = calloc(count + 1, sizeof(*spread->domains));
    spread->domain_of = calloc(count + 1, sizeof(*spread->domain_of));
    autofree struct located *all = locate(model, spread);
    bool is_built = spread->domains && spread->domain_of && all;
    size_t from = 0;
    for (size_t i = 1; is_built && i <= count; i++)
        if (i == count || strcmp(all[i].value, all[from].value) != 0) {
            is_built = add_domain(spread, &all[from], i - from);
            from = i;
        }
    return is_built;
}

bool index_spread_is_off(const struct index *index, const struct machine *machine)
{
    for (size_t i = 0; i < index->spreads.room; i++) {
        const struct spread *spread = index->spreads.slots[i];
        if (!spread)
            continue;
        const struct domain *domain = &spread->domains[spread->domain_of[machine->number]];
        if (strcmp(domain->value, index_spread_value(machine, spread->key)) != 0)
            return true;
    }
    return false;
}

/* --- keys --- */

struct spread *index_spread_first(const struct index *index)
{
    struct spread *first = NULL;
    for (size_t i = 0; i < index->spreads.room; i++) {
        struct spread *spread = index->spreads.slots[i];
        if (spread && (!first || strcmp(spread->key, first->key) < 0))
            first = spread;
    }
    return first;
}

/* Another key numbers the machines now. */
static void reconsider_primary(struct model *model)
{
    if (index_spread_first(&model->index) != model->index.primary)
        index_renumber(model);
}

static struct spread *spread_new(struct model *model, const char *key)
{
    struct index *index = &model->index;
    struct spread *spread = calloc(1, sizeof(*spread) + strlen(key) + 1);
    if (!spread)
        return NULL;
    memcpy(spread->key, key, strlen(key));
    spread->hash = table_hash_text(key);
    if ((!index->stale && !index_spread_build(model, spread)) ||
        !table_add(&index->spreads, &spread_kind, spread)) {
        forget_domains(spread);
        free(spread);
        return NULL;
    }
    reconsider_primary(model);
    return spread;
}

static struct spread *spread_get(struct model *model, const char *key)
{
    struct spread *spread =
        table_find(&model->index.spreads, &spread_kind, table_hash_text(key), key);
    if (!spread)
        spread = spread_new(model, key);
    if (spread)
        spread->groups++;
    return spread;
}

static void spread_put(struct model *model, struct spread *spread)
{
    if (--spread->groups > 0)
        return;
    table_remove(&model->index.spreads, &spread_kind, spread);
    reconsider_primary(model);
    if (model->index.primary == spread)
        model->index.primary = NULL;
    forget_domains(spread);
    free(spread);
}

/* --- tallies --- */

bool index_tally_renew(struct tally *tally)
{
    free(tally->counts);
    tally->counts = calloc(tally->spread->domain_count + 1, sizeof(*tally->counts));
    return tally->counts != NULL;
}

static bool count_family(struct tally *tally, const struct family *family)
{
    if (!index_tally_renew(tally))
        return false;
    struct bag_walk walk = { 0 };
    while (bag_next(bag_sum(&family->here), &walk))
        tally->counts[tally->spread->domain_of[walk.machine]]++;
    return true;
}

static void tally_free(struct model *model, struct tally *tally)
{
    if (tally->spread)
        spread_put(model, tally->spread);
    free(tally->counts);
    free(tally);
}

static struct tally *tally_new(struct model *model, struct family *family, const char *key)
{
    /* NOLINTNEXTLINE(bugprone-sizeof-expression): pointers are what is kept */
    struct tally **grown = reallocarray(family->tallies, family->tally_count + 1, sizeof(*grown));
    if (!grown)
        return NULL;
    family->tallies = grown;
    struct tally *tally = calloc(1, sizeof(*tally));
    if (!tally)
        return NULL;
    tally->spread = spread_get(model, key);
    if (!tally->spread || (!model->index.stale && !count_family(tally, family))) {
        tally_free(model, tally);
        return NULL;
    }
    family->tallies[family->tally_count++] = tally;
    return tally;
}

struct tally *index_tally_get(struct model *model, struct family *family, const char *key)
{
    struct tally *tally = NULL;
    for (size_t i = 0; i < family->tally_count && !tally; i++)
        if (strcmp(family->tallies[i]->spread->key, key) == 0)
            tally = family->tallies[i];
    if (!tally)
        tally = tally_new(model, family, key);
    if (tally)
        tally->groups++;
    return tally;
}

void index_tally_put(struct model *model, struct family *family, struct tally *tally)
{
    if (!tally || --tally->groups > 0)
        return;
    for (size_t i = 0; i < family->tally_count; i++)
        if (family->tallies[i] == tally)
            family->tallies[i--] = family->tallies[--family->tally_count];
    tally_free(model, tally);
}
