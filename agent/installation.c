/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/installation.h"

#include <stdlib.h>
#include <string.h>

#include "agent/unit_links.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "base/text.h"

void installation_init(struct installation *installation, const char *name,
                       const struct unit_dirs *dirs, const struct unit_host *host)
{
    *installation = (struct installation){ .name = name, .dirs = dirs, .host = host };
}

static void container_words_done(struct container_words *words)
{
    free(take_ptr(words->image));
    free(take_ptr(words->addresses));
    free(take_ptr(words->ports));
}

static void forget_container(struct installation *installation)
{
    container_words_done(&installation->container);
    free(take_ptr(installation->described));
}

void installation_done(struct installation *installation)
{
    forget_container(installation);
    translation_free(take_ptr(installation->translation));
    free(take_ptr(installation->translated_blob));
}

void installation_adopt(struct installation *installation)
{
    installation->installed = true;
    installation->links_unread = true;
    installation->started_revision = unit_files_started(installation->dirs, installation->name);
}

/* --- links --- */

/* taken: names that others have, or NULL. */
static void tell_taken(const struct installation *installation, const char *taken)
{
    if (taken)
        log_unit(LOG_LEVEL_WARNING, installation->name,
                 "its [Install]: another unit of this machine has %s, so this one does without",
                 taken);
}

/* Of a unit that was there already: its links are made last, and whoever made it may have been
 * killed before. */
static void make_links(struct installation *installation)
{
    struct error err = { 0 };
    autofree char *taken = NULL;
    int links = unit_links_make(installation->dirs, installation->name,
                                installation->translation->links, &taken, &err);
    if (links < 0)
        log_unit(LOG_LEVEL_WARNING, installation->name, "its [Install]: %s", err.text);
    tell_taken(installation, taken);
    installation->links_unread = links > 0;
}

void installation_note_read(struct installation *installation)
{
    installation->links_unread = false;
}

/* --- its text --- */

int installation_translate(struct installation *installation, const char *digest, const char *text,
                           size_t length, struct error *err)
{
    installation_done(installation);
    installation->translated_blob = strdup(digest);
    if (!installation->translated_blob)
        return error_oom(err);
    int r = unit_translate(installation->name, text, length, installation->host,
                           &installation->translation, err);
    if (r < 0)
        return r;
    installation->links_unread = installation->links_unread && installation->translation->links;
    installation->current =
        installation->installed &&
        unit_files_are_current(installation->dirs, installation->name, installation->translation);
    if (installation->current && installation->links_unread)
        make_links(installation);
    return 0;
}

void installation_forget_text(struct installation *installation)
{
    installation->current = false;
    translation_free(take_ptr(installation->translation));
}

bool installation_has_text(const struct installation *installation, const char *digest)
{
    return installation->translation && text_equal(installation->translated_blob, digest);
}

/* --- its files --- */

int installation_install(struct installation *installation, struct error *err)
{
    autofree char *taken = NULL;
    int links = unit_files_install(installation->dirs, installation->name,
                                   installation->translation, &taken, err);
    if (links < 0)
        return links;
    tell_taken(installation, taken);
    installation->links_unread = links > 0;
    installation->installed = true;
    installation->current = true;
    return 0;
}

int installation_remove(struct installation *installation, struct error *err)
{
    int r = unit_files_remove(installation->dirs, installation->name, err);
    if (r < 0)
        return r;
    forget_container(installation);
    installation->installed = false;
    installation->current = false;
    installation->started_revision = 0;
    return 0;
}

void installation_note_started(struct installation *installation, int64_t assignment_revision)
{
    struct error err = { 0 };
    installation->started_revision = assignment_revision;
    if (unit_files_note_started(installation->dirs, installation->name, assignment_revision, &err) <
        0)
        log_unit(LOG_LEVEL_WARNING, installation->name,
                 "a restarted musterd may start it again: %s", err.text);
}

void installation_doubt_start(struct installation *installation)
{
    installation->started_revision = 0;
}

bool installation_is_hosts(const struct installation *installation, const char *load,
                           const char *fragment)
{
    bool loaded = strcmp(load, "loaded") == 0 || strcmp(load, "masked") == 0;
    return !installation->installed && loaded &&
           !unit_files_own_fragment(installation->dirs, installation->name, fragment);
}

/* --- its container --- */

/* 1: some of it could not be read. */
static int read_container(const struct installation *installation, struct container_words *words,
                          struct error *err)
{
    int image = unit_files_image(installation->dirs, installation->name, &words->image, err);
    if (image < 0)
        return image;
    int network = unit_files_network(installation->dirs, installation->name, &words->addresses,
                                     &words->ports, err);
    return network < 0 ? network : image || network;
}

int installation_describe(struct installation *installation, const char *invocation,
                          struct error *err)
{
    if (!installation->installed || text_equal(installation->described, invocation))
        return 0;
    forget_container(installation);
    int r = read_container(installation, &installation->container, err);
    if (r == 0 && !(installation->described = strdup(invocation)))
        r = error_oom(err);
    if (r < 0)
        forget_container(installation);
    return r < 0 ? r : 0;
}
