/* tunnel.h -- a TLS connection between two hosts without a link, carried by the links of those between; the hub calls these
 * through its `tunnel_open` and `tunnel_heard`.
 *
 * To the connection it is a socket: one end of a pair, whose other end is read here, cut into TUNNEL frames and sent to the
 * next host on the way (link/topology.h).  Those between see bytes of TLS 1.3, whose ends know each other's keys, and can
 * do nothing but lose them; then the connection breaks, and another is made.  An end sends no more than TUNNEL_WINDOW
 * bytes that the other has not read. */
#ifndef HUB_TUNNEL_H
#define HUB_TUNNEL_H

#include "hub/hub.h"

struct tunnels;

/* tunnels_new -- none yet; NULL: out of memory. */
struct tunnels *tunnels_new(struct hub *h);
void tunnels_free(struct tunnels *t);

/* tunnel_open -- dial this peer through others. */
void tunnel_open(struct hub *h, struct line *ln);

/* tunnel_heard -- a TUNNEL frame came from a peer: for us, or to be passed on. */
void tunnel_heard(struct link *l, const uint8_t *frame);

/* tunnels_tick -- what waited for room on the way; some times a second. */
void tunnels_tick(struct hub *h);

#endif
