/* SPDX-License-Identifier: Apache-2.0 */
/*
 * seam_net.h - how an exporter waits for a service: as long as the service is about to answer no time passes and nobody
 * else runs. A service that lets a request wait says so, and then all others go on.
 */
#ifndef SIMULATE_SEAM_NET_H
#define SIMULATE_SEAM_NET_H

/* In an exporter: `nudge` becomes readable whenever a service lets a request wait; one byte for each. */
void net_begin(int nudge);

#endif
