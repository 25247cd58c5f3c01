/* children.c -- processes of one test program, and memory that they share. */
#include "children.h"

#include "raw.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

void *children_board(size_t len)
{
    void *board = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (board == MAP_FAILED)
        die("no memory to share: %s", strerror(errno));
    return board;
}

pid_t children_start(int (*act)(unsigned self), unsigned self)
{
    fflush(NULL); /* or both would write it */
    pid_t pid = fork();
    if (pid < 0)
        die("cannot fork: %s", strerror(errno));
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        exit(act(self));
    }
    return pid;
}

int children_end(pid_t pid)
{
    int status = -1;
    return waitpid(pid, &status, 0) == pid ? status : -1;
}
