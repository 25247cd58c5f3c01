/* talk.c -- chat without a verb: the conversation on a terminal. */
#include "talk_inside.h"

#include "base/sys.h"
#include "lines.h"
#include "screen.h"

#include <errno.h>
#include <langinfo.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum { RECENT_MS = 24 * 3600 * 1000 /* of what was said between two, the start of chat tells */ };

struct talking talking;
static volatile sig_atomic_t interrupted;

static void on_interrupt(int signo)
{
    (void)signo;
    interrupted = 1;
}

void talk_tell(const char *sentence)
{
    char line[512];
    snprintf(line, sizeof line, "-- %s\n", sentence);
    screen_print(line);
}

void talk_prompt(void)
{
    char plain[CALLED_MAX + 8], prompt[CALLED_MAX + 24];
    const char *sign = port_sign(text_of(talking.room));
    const char *mark = marks_text(&talking.marks, strcmp(nl_langinfo(CODESET), "UTF-8") == 0);
    snprintf(plain, sizeof plain, "%s%s> ", sign, talking.room);
    snprintf(prompt, sizeof prompt, "%s%s%s%s> ", sign, talking.room, *mark ? " " : "", mark);
    screen_prompt(prompt, plain); /* a mark beside the text of the next message would be taken for its own */
}

void talk_went_wrong(int r)
{
    if (r >= 0)
        return;
    screen_close();
    talking.code = exit_code_of(r);
    talking.quit = true;
}

bool talk_say(const char *room, const char *text, bool action)
{
    int64_t r = port_say(talking.port, room, text_of(text), action);
    if (r == -EILSEQ)
        talk_tell("that is not valid UTF-8, so it was not sent; check your locale");
    else if (r == -EMSGSIZE)
        talk_tell("a message has 1 byte to 64 KiB");
    else if (r < 0)
        talk_went_wrong((int)r);
    else
        talk_went_wrong(port_flush(talking.port));
    return r >= 0 && !talking.quit;
}

bool talk_show_row(void *arg, const uint8_t *f)
{
    (void)arg;
    screen_print(view_frame(talking.view, f));
    return true;
}

/* ---- the terminal ---- */

static void on_line(char *line)
{
    if (!line) {
        talking.quit = true;
        return;
    }
    if (*line)
        screen_remember(line);
    if (line[0] == '/' && line[1] != '/')
        command_run(line);
    else if (*line && talk_say(talking.room, line + (line[0] == '/'), false))
        screen_keep(); /* until it comes back in its place */
    if (talking.marks.shown && !talking.quit)
        talk_prompt();
    free(line);
}

/* show -- everything that has come.  Returns what port_next() ended with. */
static int show(void)
{
    const uint8_t *f;
    int r;
    while ((r = port_next(talking.port, &f)) == 1) {
        if (command_ignores(f))
            continue;
        const char *line = view_frame(talking.view, f);
        marks_see(&talking.marks, talking.port, f);
        if (frame_type(f) == FRAME_REFUSED)
            screen_let_go();
        if (*line && frame_type(f) == FRAME_SAY && frame_client(f) == port_client(talking.port))
            screen_print_kept(line);
        else if (*line)
            screen_print(line);
    }
    talk_look_around();
    if (marks_update(&talking.marks, talking.port))
        talk_prompt();
    return r;
}

/* recall -- a conversation or private room of ours: know it; when something was said lately, say so. */
static bool recall(void *arg, const uint8_t *f)
{
    char name[DIRECT_NAME_MAX + 1], called[CALLED_MAX + 1], line[2 * CALLED_MAX + 64], when[16] = "";
    struct room_row r;
    struct tm tm;
    (void)arg;
    if (read_room_row(f, &r) < 0 || !(direct_is(r.name) || private_is(r.name)))
        return true;
    snprintf(name, sizeof name, "%.*s", (int)r.name.len, r.name.p);
    port_name_room(talking.port, name);
    if (private_is(r.name) && talking.n_invited < INVITED_MAX)
        snprintf(talking.invited[talking.n_invited++], CALLED_MAX + 1, "%.*s", CALLED_MAX, name);
    time_t t = (time_t)((frame_hlc(f) >> 16) / 1000);
    if ((frame_hlc(f) >> 16) + RECENT_MS < wall_ms() || !localtime_r(&t, &tm) || strftime(when, sizeof when, "%H:%M", &tm) == 0)
        return true;
    port_call(talking.port, r.name, called);
    if (private_is(r.name))
        snprintf(line, sizeof line, "%s, in which you are, was last heard of at %s; /join it", called, when);
    else
        snprintf(line, sizeof line, "%s and you talked, last at %s; /query %s", called, when, called + 1);
    talk_tell(line);
    return true;
}

/* hear_all -- what anybody says to us alone.  Those that begin later than this list make themselves known. */
static void hear_all(void)
{
    struct query q = {.kind = QUERY_ROOMS};
    struct end end = {0};
    int r = port_inbox(talking.port);
    talk_went_wrong(r < 0 ? r : port_query(talking.port, NULL, &q, recall, NULL, &end));
}

/* catch_signals -- they come only while we wait.  waiting: filled with the mask for that. */
static void catch_signals(sigset_t *waiting)
{
    static const int ends[] = {SIGINT, SIGTERM, SIGHUP};
    struct sigaction sa = {.sa_handler = on_interrupt};
    sigset_t caught;
    sigemptyset(&caught);
    sigaddset(&caught, SIGWINCH); /* screen.c's */
    for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
        sigaction(ends[i], &sa, NULL);
        sigaddset(&caught, ends[i]);
    }
    sigprocmask(SIG_BLOCK, &caught, waiting);
}

static int on_terminal(void)
{
    sigset_t waiting;
    catch_signals(&waiting);
    screen_open(on_line, command_complete);
    hear_all();
    if (port_started(talking.port))
        talk_tell("A relay of your own was started, and stays: relay status, relay stop. In here, /help.");
    if (!talking.quit)
        talk_join(talking.o->room);
    while (!talking.quit && !interrupted) {
        talk_went_wrong(show());
        if (!talking.quit && wait_for_frames(talking.port, 0, -1, &waiting))
            screen_input();
        screen_fit();
    }
    screen_close();
    return talking.code;
}

int talk(const struct verb_options *o)
{
    bool terminal = isatty(0);
    talking.o = o;
    int r = open_port(&talking.port, o, !terminal);
    if (r != 0)
        return r;
    struct view_options vo = {.json = o->json && !terminal, .color = view_color(1), .days = true, .direct = terminal};
    r = view_open(&talking.view, talking.port, &vo) < 0 ? EXIT_NO_RELAY : terminal ? on_terminal() : pass_lines(talking.port, talking.view, o);
    view_close(talking.view);
    port_close(talking.port);
    return r;
}
