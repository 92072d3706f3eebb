/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How long to wait before the next try: at random between 0 and a bound that doubles ("full
 * jitter"), so that a thousand clients of one store that came back do not come at once.
 */
#ifndef KVCLIENT_BACKOFF_H
#define KVCLIENT_BACKOFF_H

struct backoff {
    int first_ms; /* the bound of the first wait */
    int max_ms;
    int bound_ms; /* of the next wait; 0: the first */
};

int backoff_next_ms(struct backoff *backoff);
void backoff_reset(struct backoff *backoff); /* it went well: begin small again */

#endif
