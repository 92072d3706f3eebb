/* SPDX-License-Identifier: Apache-2.0 */
#include "units/reference.h"

#include <errno.h>
#include <string.h>

#include "base/text.h"
#include "tests/unit/harness.h"

#define HEX    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define DIGEST "sha256:" HEX

static void stands_for(const char *said, enum reference_kind kind, const char *text,
                       const char *skopeo)
{
    struct error err = { 0 };
    autoptr(reference) reference = NULL;
    if (reference_parse(said, &reference, &err) < 0)
        fail_msg("%s", err.text);
    autofree char *as_text = reference_text(reference);
    autofree char *as_skopeo = reference_for_skopeo(reference, NULL);
    assert_int_equal(reference->kind, kind);
    assert_string_equal(as_text, text);
    assert_string_equal(as_skopeo, skopeo);
}

static void a_name_in_a_registry_has_one_text(void **state)
{
    (void)state;
    static const char text[] = "docker.io/library/busybox:latest";
    static const char *const ways[] = { "docker.io/busybox", "docker.io/library/busybox",
                                        "docker://busybox", "docker:busybox:latest",
                                        "docker://docker.io/library/busybox:latest" };
    for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++)
        stands_for(ways[i], REFERENCE_REGISTRY, text, "docker://docker.io/library/busybox:latest");
    stands_for("docker://me/app:v1", REFERENCE_REGISTRY, "docker.io/me/app:v1",
               "docker://docker.io/me/app:v1");
}

static void ports_are_no_tags(void **state)
{
    (void)state;
    stands_for("localhost:5000/a/b", REFERENCE_REGISTRY, "localhost:5000/a/b:latest",
               "docker://localhost:5000/a/b:latest");
    stands_for("[::1]:5000/a_b/c-d:V.1", REFERENCE_REGISTRY, "[::1]:5000/a_b/c-d:V.1",
               "docker://[::1]:5000/a_b/c-d:V.1");
    stands_for("localhost/x", REFERENCE_REGISTRY, "localhost/x:latest",
               "docker://localhost/x:latest");
    stands_for("docker://oci:5000/web", REFERENCE_REGISTRY, "docker://oci:5000/web:latest",
               "docker://oci:5000/web:latest");
}

static void a_digest_takes_the_place_of_the_tag(void **state)
{
    (void)state;
    stands_for("quay.io/a/b@" DIGEST, REFERENCE_REGISTRY, "quay.io/a/b@" DIGEST,
               "docker://quay.io/a/b@" DIGEST);
    stands_for("quay.io/a/b:v1@" DIGEST, REFERENCE_REGISTRY, "quay.io/a/b:v1@" DIGEST,
               "docker://quay.io/a/b@" DIGEST);
}

static void files_are_named_by_their_path(void **state)
{
    (void)state;
    stands_for("oci:/a:b/c:v1", REFERENCE_LAYOUT, "oci:/a:b/c:v1", "oci:/a:b/c:v1");
    stands_for("oci-archive:/a/b.tar", REFERENCE_FILES, "oci-archive:/a/b.tar",
               "oci-archive:/a/b.tar");
    stands_for("docker-archive:/a.tar:docker.io/x/y:1", REFERENCE_FILES,
               "docker-archive:/a.tar:docker.io/x/y:1", "docker-archive:/a.tar:docker.io/x/y:1");
    stands_for("dir:/a:b", REFERENCE_FILES, "dir:/a:b", "dir:/a:b");
}

static void a_short_name_waits_for_its_registry(void **state)
{
    (void)state;
    autoptr(reference) reference = NULL;
    assert_int_equal(reference_parse("me/app:v1", &reference, NULL), 0);
    assert_int_equal(reference->kind, REFERENCE_SHORT);
    struct error err = { 0 };
    assert_int_equal(reference_qualify(reference, "me/app", &err), -EINVAL);
    assert_string_equal(err.text, "name me/app: it does not begin with a registry's host");
    assert_int_equal(reference_qualify(reference, "quay.io/me/app", NULL), 0);
    autofree char *text = reference_text(reference);
    assert_string_equal(text, "quay.io/me/app:v1");
}

static void what_is_wrong_is_named(void **state)
{
    (void)state;
    static const struct {
        const char *said;
        const char *why;
    } cases[] = {
        {"",                      "it has no name"                                          },
        { "docker://",            "it has no name"                                          },
        { "web.image",            "other Quadlet files are not followed"                    },
        { "oci:/x/../y:1",        "an absolute path without \"..\""                         },
        { "oci:/x:a:b",           "a tag consists of"                                       },
        { "docker-archive:/x:A",  "names of images are in lower case"                       },
        { "oci:relative",         "want oci:PATH[:TAG] with an absolute path without \"..\""},
        { "dir:x",                "want dir:PATH with an absolute path without \"..\""      },
        { "oci:/x:",              "the tag after ':' is empty"                              },
        { "quay.io/a:",           "the tag after ':' is empty"                              },
        { "quay.io/A",            "names of images are in lower case"                       },
        { "quay.io/a b",          "' ' is none of the lower-case letters"                   },
        { "quay.io/a//b",         "have to begin and end with a letter or digit"            },
        { "quay.io/../b",         "have to begin and end with a letter or digit"            },
        { "quay.io/a:-x",         "a tag consists of"                                       },
        { "quay.io/a@sha256:12",  "after '@' want sha256: and 64 lower-case hex digits"     },
        { "quay.io/a@md5:" HEX,   "after '@' want sha256: and 64 lower-case hex digits"     },
        { "docker-daemon:x:y",    "muster does not ask Docker"                              },
        { "containers-storage:x", "muster does not read Podman's storage"                   },
        { "https://quay.io/x",    "has no https:// before it"                               },
        { "qu$ay.io/x",           "what is before the first '/' is no host"                 },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct error err = { 0 };
        struct reference *reference = NULL;
        assert_int_equal(reference_parse(cases[i].said, &reference, &err), -EINVAL);
        assert_null(reference);
        if (!strstr(err.text, cases[i].why))
            assert_string_equal(err.text, cases[i].why);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_name_in_a_registry_has_one_text),
        cmocka_unit_test(ports_are_no_tags),
        cmocka_unit_test(a_digest_takes_the_place_of_the_tag),
        cmocka_unit_test(files_are_named_by_their_path),
        cmocka_unit_test(a_short_name_waits_for_its_registry),
        cmocka_unit_test(what_is_wrong_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
