/* enrol.h -- a stranger with an invitation becomes a peer; the hub calls these through its `invites` and `enrol`. */
#ifndef HUB_ENROL_H
#define HUB_ENROL_H

#include "hub/hub.h"

/* enrol_open -- does this host wait for anybody? */
bool enrol_open(struct hub *h);

/* enrol_hear -- a stranger's connection is readable: take his one frame, answer, end. */
void enrol_hear(struct link *l);

#endif
