/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Secrets of a container. systemd brings each as a credential of the service, from its own stores
 * (/etc/credstore and the like) or from wherever a LoadCredential= of the unit says; here they
 * become files below place->secrets, for the container alone, or variables.
 */
#ifndef CONTAINER_SECRETS_H
#define CONTAINER_SECRETS_H

#include "base/error.h"
#include "container/place.h"
#include "container/userns.h"
#include "units/container.h"

/* directory: where the credentials are ($CREDENTIALS_DIRECTORY); NULL: systemd gave none. Files are
 * added to the container's mounts, variables to *environment. -ENOENT: there is no such credential.
 * -EINVAL: a variable cannot have this value. */
int secrets_prepare(const struct place *place, struct container *container, const char *directory,
                    const struct userns *userns, char ***environment, struct error *err);

#endif
