/* admin.h -- what people do with a relay from outside: start, stop, look. */
#ifndef ADMIN_ADMIN_H
#define ADMIN_ADMIN_H

#include "conf/conf.h"
#include "instance/instance.h"

/* Each returns the exit code of the program and says on standard error what went wrong. */

/* admin_become -- a system relay needs nothing of root's but a beginning: give its directories to the user it is
 * to run as, and become him for good.  0 to go on, also as before: not root, not a system relay, nobody to become. */
int admin_become(const struct instance *inst, const struct conf *conf);

/* admin_start -- run `serve` in the background; returns once it is ready.  Running already is no error. */
int admin_start(const struct instance *inst, const struct conf *conf,
                int (*serve)(const struct instance *, const struct conf *, const char *, int), const char *conf_path);

/* admin_stop -- ask it to stop and wait until it did. */
int admin_stop(const struct instance *inst);

/* admin_status -- processes, sessions, rooms, journal; 1 when it does not run. */
int admin_status(const struct instance *inst);

/* admin_doctor -- what could keep a relay from working here, each with its remedy; 1 when anything would. */
int admin_doctor(const struct instance *inst, const struct conf *conf);

#endif
