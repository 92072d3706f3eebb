/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The images of this machine. Layers lie unpacked, each once, whatever image it belongs to:
 *
 *   layers/HEX/files/   a layer's files, by the digest of its unpacked bytes; whole if it is there
 *   layers/HEX/size     bytes that it takes on the disk
 *   blobs/HEX           link to the layer that a packed layer of this digest unpacks to
 *   images/HEX.json     by the digest of its manifest: configuration and layers. Its time of change
 *                       is when the image was last used
 *   names/HEX.json      by the sha256 of its text, a reference and the digest it stands for
 *   half/               what is being fetched and unpacked, and the locks of those who do
 *   lock                shared by those who look an image up and pin it, alone for who removes
 *
 * An image is in use as long as a container has a pin on it: a file with its layers in the
 * container's own run directory, so a reboot ends all. Who has pinned an image may rely on its
 * layers.
 */
#ifndef CONTAINER_STORE_H
#define CONTAINER_STORE_H

#include "base/error.h"
#include "container/image.h"

/* Makes the directories, readable for root alone: what is set-user-ID in an image is not for the
 * users of this machine. */
int store_prepare(const char *store, struct error *err);

/* The digest that the reference stood for when it was last looked up. identity is what tells
 * whether files are still the same ("" for registries). -ENOENT: never, or they are not. Caller
 * frees. */
int store_find_name(const char *store, const char *reference, const char *identity, char **ret,
                    struct error *err);
int store_write_name(const char *store, const char *reference, const char *identity,
                     const char *digest, struct error *err);

/* -ENOENT: no such image. What is returned has no layout; its layers may have gone all the same:
 * store_has_layers(). */
int store_read_image(const char *store, const char *digest, struct image **ret, struct error *err);
int store_write_image(const char *store, const struct image *image, struct error *err);

bool store_has_layers(const char *store, const struct image *image);
bool store_has_layer(const char *store, const char *layer);

/* There is a layer that comes of the packed one with this digest. */
bool store_has_blob(const char *store, const char *digest);
int store_write_blob(const char *store, const char *digest, const char *layer, struct error *err);

/* <store>/layers/HEX/files; caller frees, NULL if memory ran out. */
char *store_layer_path(const char *store, const char *layer);

/* Puts a pin on the image into the directory pins, and notes that it is used. Of its layers those
 * that are there afterwards stay: look after it, not before. */
int store_pin(const char *store, const char *pins, const struct image *image, struct error *err);

/* Reads the image, pins it, and looks whether all of its layers are there. -ENOENT: it is not. */
int store_find_image(const char *store, const char *pins, const char *digest, struct image **ret,
                     struct error *err);

/* Takes all pins in the directory away, and notes for each image that it was in use until now. */
int store_unpin(const char *store, const char *pins, struct error *err);

#endif
