/* tunnel.h -- what the same bytes through bare TLS cost, without relays: the bound for a link. */
#ifndef BENCH_TUNNEL_H
#define BENCH_TUNNEL_H

#include "crew.h"

/* tunnel_run -- two processes, OpenSSL at both ends with the certificates and the cipher of a link, full records over
 * loopback TCP.
 *
 * dir      where the certificates are made
 * bytes    of one message
 * Returns  the time until the last byte was read, and the CPU time of both. */
struct result tunnel_run(const char *dir, uint32_t count, size_t bytes);

#endif
