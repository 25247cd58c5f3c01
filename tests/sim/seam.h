/* seam.h -- put before every shipping module of the simulator's build: what they ask of the
 * system goes to os.c.
 *
 * The modules themselves are compiled as they are.  What they get from files that are not
 * linked in (time, log, loop, shared memory, lock, TLS, addresses, the store, keys) is replaced
 * by the linker: os.c, net.c, disk.c. */
#ifndef SIM_SEAM_H
#define SIM_SEAM_H

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

int sim_socket(int domain, int type, int protocol);
int sim_bind(int fd, const struct sockaddr *at, socklen_t len);
int sim_listen(int fd, int backlog);
int sim_connect(int fd, const struct sockaddr *at, socklen_t len);
int sim_accept4(int fd, struct sockaddr *from, socklen_t *len, int flags);
int sim_getsockopt(int fd, int level, int name, void *value, socklen_t *len);
ssize_t sim_read(int fd, void *to, size_t len);
ssize_t sim_send(int fd, const void *p, size_t len, int flags);
int sim_poll(struct pollfd *p, nfds_t n, int timeout_ms);
int sim_open(const char *path, int flags, ...);
int sim_unlinkat(int dirfd, const char *name, int flags);
int sim_close(int fd);

#define socket     sim_socket
#define bind       sim_bind
#define listen     sim_listen
#define connect    sim_connect
#define accept4    sim_accept4
#define getsockopt sim_getsockopt
#define read       sim_read
#define send       sim_send
#define poll       sim_poll
#define open       sim_open
#define unlinkat   sim_unlinkat
#define close      sim_close

#endif
