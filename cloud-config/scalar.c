/* SPDX-License-Identifier: Apache-2.0 */
#include "cloud-config/scalar.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool is_one_of(const char *text, const char *const *words)
{
    for (; *words; words++)
        if (strcmp(text, *words) == 0)
            return true;
    return false;
}

static bool is_bool(const char *text)
{
    static const char *const words[] = { "y",     "Y",    "yes", "Yes", "YES",   "true",
                                         "True",  "TRUE", "on",  "On",  "ON",    "n",
                                         "N",     "no",   "No",  "NO",  "false", "False",
                                         "FALSE", "off",  "Off", "OFF", NULL };
    return is_one_of(text, words);
}

static bool is_null(const char *text)
{
    static const char *const words[] = { "", "~", "null", "Null", "NULL", NULL };
    return is_one_of(text, words);
}

static bool all_of(const char *text, const char *set)
{
    return *text && strspn(text, set) == strlen(text);
}

static const char *skip_sign(const char *text)
{
    return *text == '-' || *text == '+' ? text + 1 : text;
}

/* The base of an integer and where its digits begin; 0 if it is none. */
static int int_base(const char *text, const char **ret_digits)
{
    const char *p = skip_sign(text);
    *ret_digits = p;
    if (p[0] == '_' || (p[0] == '0' && p[1] == '_'))
        return 0;
    if (p[0] == '0' && p[1]) {
        bool marked = strchr("xXbBoO", p[1]) != NULL;
        char mark = (char)tolower((unsigned char)p[1]);
        *ret_digits = p + (marked ? 2 : 1);
        return mark == 'x'   ? (all_of(*ret_digits, "0123456789abcdefABCDEF_") ? 16 : 0)
               : mark == 'b' ? (all_of(*ret_digits, "01_") ? 2 : 0)
                             : (all_of(*ret_digits, "01234567_") ? 8 : 0);
    }
    return all_of(p, "0123456789_") ? 10 : 0;
}

static bool is_float(const char *text)
{
    const char *p = skip_sign(text);
    static const char *const words[] = { ".inf", ".Inf", ".INF", ".nan", ".NaN", ".NAN", NULL };
    if (is_one_of(p, words))
        return true;
    size_t whole = strspn(p, "0123456789_");
    if (p[0] == '_')
        return false;
    p += whole;
    size_t part = 0;
    if (*p == '.') {
        part = strspn(p + 1, "0123456789");
        p += 1 + part;
    }
    if (whole + part == 0)
        return false;
    if (*p == 'e' || *p == 'E') {
        p = skip_sign(p + 1);
        return all_of(p, "0123456789");
    }
    return !*p;
}

enum node_kind scalar_kind(const char *text)
{
    const char *digits;
    if (is_null(text))
        return NODE_NULL;
    if (is_bool(text))
        return NODE_BOOL;
    if (int_base(text, &digits))
        return NODE_INT;
    return is_float(text) ? NODE_FLOAT : NODE_STRING;
}

/* Copies without '_'; false if it does not fit, which no number of ours does. */
static bool without_underscores(const char *text, char *ret, size_t room)
{
    size_t n = 0;
    for (; *text; text++) {
        if (*text == '_')
            continue;
        if (n + 1 >= room)
            return false;
        ret[n++] = *text;
    }
    ret[n] = '\0';
    return true;
}

bool scalar_parse_int(const char *text, int64_t *ret)
{
    const char *digits;
    int base = int_base(text, &digits);
    char number[80] = "-";
    if (!base || !without_underscores(digits, number + 1, sizeof(number) - 1) || !number[1])
        return false;
    bool negative = text[0] == '-';
    char *end;
    errno = 0;
    long long value = strtoll(negative ? number : number + 1, &end, base);
    if (errno || *end)
        return false;
    *ret = value;
    return true;
}

double scalar_parse_float(const char *text)
{
    char number[400];
    const char *p = skip_sign(text);
    double sign = text[0] == '-' ? -1 : 1;
    if (strcasecmp(p, ".inf") == 0)
        return sign * (double)INFINITY;
    if (strcasecmp(p, ".nan") == 0 || !without_underscores(p, number, sizeof(number)))
        return (double)NAN;
    return sign * strtod(number, NULL);
}

/* d.ddd with a run of digits and a decimal exponent, in the form without one. */
static void print_plain(const char *digits, int exponent, char *ret)
{
    int n = (int)strlen(digits);
    if (exponent < 0) {
        ret += sprintf(ret, "0.%.*s", -exponent - 1, "0000");
        (void)sprintf(ret, "%s", digits);
        return;
    }
    for (int i = 0; i <= exponent; i++)
        *ret++ = i < n ? digits[i] : '0';
    if (n > exponent + 1)
        ret += sprintf(ret, ".%s", digits + exponent + 1);
    *ret = '\0';
}

/* The shortest "%e" that reads back as value, taken apart. */
static int shortest(double value, char digits[24])
{
    char e[40];
    for (int precision = 0; precision <= 17; precision++) {
        (void)snprintf(e, sizeof(e), "%.*e", precision, value);
        if (strtod(e, NULL) == value)
            break;
    }
    char *mark = strchr(e, 'e');
    size_t n = 0;
    for (char *p = e; p < mark; p++)
        if (*p != '.' && n < 23)
            digits[n++] = *p;
    while (n > 1 && digits[n - 1] == '0')
        n--;
    digits[n] = '\0';
    return (int)strtol(mark + 1, NULL, 10);
}

void scalar_print_float(double value, char ret[SCALAR_FLOAT_ROOM])
{
    if (isnan(value) || isinf(value)) {
        (void)snprintf(ret, SCALAR_FLOAT_ROOM, "%s",
                       isnan(value) ? "NaN"
                       : value > 0  ? "+Inf"
                                    : "-Inf");
        return;
    }
    if (signbit(value))
        *ret++ = '-';
    char digits[24];
    int exponent = shortest(fabs(value), digits);
    if (exponent >= -4 && exponent < 6)
        print_plain(digits, exponent, ret);
    else
        (void)snprintf(ret, SCALAR_FLOAT_ROOM - 1, "%c%s%se%c%02d", digits[0], digits[1] ? "." : "",
                       digits + 1, exponent < 0 ? '-' : '+', abs(exponent));
}
