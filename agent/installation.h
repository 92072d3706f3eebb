/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What of one unit lies on this machine's disk, and what is known of it: which text it is of, and
 * for which assignment it was last started. It knows nothing of systemd: what systemd has read of
 * it, its owner says. Fields are for all to read; only these functions write them.
 */
#ifndef AGENT_INSTALLATION_H
#define AGENT_INSTALLATION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/unit_files.h"
#include "base/error.h"
#include "units/translate.h"

/* What a container is made of and how it is reached (unit_files.h). */
struct container_words {
    char *image;
    char *addresses;
    char *ports;
};

struct installation {
    const char *name; /* all three borrowed */
    const struct unit_dirs *dirs;
    const struct unit_host *host;
    struct translation *translation; /* of translated_blob; NULL: none */
    char *translated_blob;
    bool installed;
    bool current;      /* what is installed is what the text translates to */
    bool links_unread; /* systemd has not read them yet, and does not see that they are new */
    int64_t started_revision;         /* for this assignment; 0: none that is known */
    struct container_words container; /* NULL each: nothing was described, or it was removed */
    char *described;                  /* by which start of it; NULL: none */
};

/* Of a unit that is not installed. */
void installation_init(struct installation *installation, const char *name,
                       const struct unit_dirs *dirs, const struct unit_host *host);
/* Files stay. */
void installation_done(struct installation *installation);

/* An earlier musterd installed it, and may have been killed before systemd read its links. */
void installation_adopt(struct installation *installation);

/*
 * The text that it shall have, and its digest; whether it has that is then known. If it has, links
 * that are missing are made. A text that cannot be installed here is an error whose words say why.
 */
int installation_translate(struct installation *installation, const char *digest, const char *text,
                           size_t length, struct error *err);
/* Which text it shall have is not known any more. */
void installation_forget_text(struct installation *installation);
/* Whether it was told the text of this digest. */
bool installation_has_text(const struct installation *installation, const char *digest);

/* Writes what was translated; names of its [Install] that another unit has are warned of. */
int installation_install(struct installation *installation, struct error *err);
/* With the note of its start. */
int installation_remove(struct installation *installation, struct error *err);

/* Systemd has read its files. */
void installation_note_read(struct installation *installation);

/* It was started for this assignment, which a musterd that comes later shall know: that the note
 * cannot be written is warned of. */
void installation_note_started(struct installation *installation, int64_t assignment_revision);
/* Perhaps it was not: the order may be lost. The note stays. */
void installation_doubt_start(struct installation *installation);

/* Whether the name is that of a unit of the host's own: ours would shadow it, or it ours. load and
 * fragment are systemd's LoadState and FragmentPath. */
bool installation_is_hosts(const struct installation *installation, const char *load,
                           const char *fragment);

/* Has field container say of what is installed what its present start wrote down, which is read
 * once: invocation is systemd's id of that start. What could not be read is tried again by the next
 * call. */
int installation_describe(struct installation *installation, const char *invocation,
                          struct error *err);

#endif
