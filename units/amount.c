/* SPDX-License-Identifier: Apache-2.0 */
#include "units/amount.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "base/text.h"

/* Far above any machine, and far from overflow. */
#define AMOUNT_MAX (INT64_C(1) << 60)

/* Digits with at most one point between them, in units of 1/scale. Leaves what follows. */
static bool read_decimal(const char **text, int64_t scale, int64_t *ret)
{
    const char *p = *text;
    int64_t whole = 0;
    int64_t fraction = 0;
    int64_t divisor = 1;
    if (*p < '0' || *p > '9')
        return false;
    for (; *p >= '0' && *p <= '9'; p++) {
        if (whole > AMOUNT_MAX / 10)
            return false;
        whole = whole * 10 + (*p - '0');
    }
    if (*p == '.' && p[1] >= '0' && p[1] <= '9')
        for (p++; *p >= '0' && *p <= '9'; p++) {
            if (divisor == 1000000)
                return false;
            fraction = fraction * 10 + (*p - '0');
            divisor *= 10;
        }
    if (whole > AMOUNT_MAX / scale || (fraction > 0 && scale > AMOUNT_MAX / 1000000))
        return false;
    *ret = whole * scale + fraction * scale / divisor;
    *text = p;
    return true;
}

static int64_t scale_of(const char **suffix)
{
    static const char letters[] = "KMGTkmgt";
    const char *at = **suffix ? strchr(letters, **suffix) : NULL;
    if (!at)
        return 1;
    (*suffix)++;
    return INT64_C(1) << (10 * ((at - letters) % 4 + 1));
}

int amount_parse_bytes(const char *text, int64_t *ret_bytes, struct error *err)
{
    const char *rest = text + strspn(text, "0123456789.");
    int64_t scale = scale_of(&rest);
    int64_t bytes = 0;
    const char *number = text;
    bool ends = !*rest || strcmp(rest, "B") == 0 || strcmp(rest, "b") == 0 ||
                (scale > 1 && strcmp(rest, "iB") == 0);
    if (!ends || !read_decimal(&number, scale, &bytes) ||
        number != text + strspn(text, "0123456789."))
        return error_set(err, -EINVAL, "write an amount of memory: 512M, 1.5G, or bytes");
    *ret_bytes = bytes;
    return 0;
}

int amount_parse_cpu(const char *text, int64_t *ret_milli, struct error *err)
{
    const char *rest = text;
    int64_t milli = 0;
    if (read_decimal(&rest, CPU_MILLI, &milli)) {
        if (!*rest) {
            *ret_milli = milli;
            return 0;
        }
        if (strcmp(rest, "%") == 0) {
            *ret_milli = milli / 100;
            return 0;
        }
        if (strcmp(rest, "m") == 0 && milli % CPU_MILLI == 0) {
            *ret_milli = milli / CPU_MILLI;
            return 0;
        }
    }
    return error_set(err, -EINVAL, "write processors: 2, 0.5, 50%% or 500m");
}

int amount_parse_count(const char *text, int64_t *ret, struct error *err)
{
    uint64_t count = 0;
    if (text_parse_u64(text, (uint64_t)AMOUNT_MAX, &count, NULL) < 0)
        return error_set(err, -EINVAL, "write a number");
    *ret = (int64_t)count;
    return 0;
}
