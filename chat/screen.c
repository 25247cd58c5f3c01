/* screen.c -- the only file that knows readline. */
#include "screen.h"

#include "base/text.h"
#include "render.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <readline/history.h>
#include <readline/readline.h>

static char *(*completer)(const char *word, int n);
static void (*taker)(char *line);
static bool is_open, is_taken; /* is_taken: a line was typed and is being worked upon, the next
                                  one has not begun */
static char entered[256];      /* the prompt of a line that is done */
static char *typed;            /* with that prompt, while it is being taken */

enum { KEPT_MAX = 8 };
static char *kept[KEPT_MAX]; /* lines that wait above the prompt, the oldest first */
static size_t n_kept;
static volatile sig_atomic_t resized;

static char *next_completion(const char *word, int state)
{
    static int n;
    n = state ? n + 1 : 0;
    return completer(word, n);
}

static char **complete(const char *word, int start, int end)
{
    (void)start;
    (void)end;
    rl_attempted_completion_over = 1; /* never file names */
    return rl_completion_matches(word, next_completion);
}

/* ---- lines that wait above the prompt ---- */

/* rows_of -- of the terminal that a line takes; 0: nobody knows. */
static size_t rows_of(const char *line)
{
    char shown[RENDER_SIZE(sizeof entered + 1024)];
    int rows, columns;
    rl_get_screen_size(&rows, &columns);
    if (strlen(line) >= sizeof entered + 1024 || columns <= 0)
        return 0;
    size_t bytes = render_text(text_of(line), RENDER_UTF8, shown, sizeof shown);
    return strcmp(shown, line) == 0 ? render_rows((struct text){shown, bytes}, (size_t)columns) : 0;
}

void screen_let_go(void)
{
    while (n_kept > 0)
        free(kept[--n_kept]);
}

void screen_keep(void)
{
    if (typed && n_kept < KEPT_MAX && rows_of(typed) > 0 && (kept[n_kept] = strdup(typed)))
        n_kept++;
    else
        screen_let_go();
}

/* lift -- take them off the screen; the cursor stands where the prompt begins. */
static void lift(void)
{
    size_t rows = 0;
    for (size_t i = 0; i < n_kept; i++)
        rows += rows_of(kept[i]);
    if (rows > 0)
        printf("\033[%zuA\033[J", rows);
}

/* ---- the line being typed ---- */

/* take_line -- what is printed meanwhile goes below it; readline draws the prompt when we are
 * done. */
static void take_line(char *line)
{
    if (line && asprintf(&typed, "%s%s", entered, line) < 0)
        typed = NULL;
    is_taken = true;
    taker(line);
    is_taken = false;
    free(typed);
    typed = NULL;
}

static void on_resize(int signo)
{
    (void)signo;
    resized = 1;
}

void screen_fit(void)
{
    if (!resized)
        return;
    resized = 0;
    screen_let_go(); /* they take another number of rows now */
    rl_resize_terminal();
}

static void set_prompt(const char *text)
{
    rl_clear_visible_line();
    rl_set_prompt(text);
    rl_on_new_line();
    rl_redisplay();
}

static int on_enter(int count, int key)
{
    set_prompt(entered);
    return rl_newline(count, key);
}

void screen_open(void (*on_line)(char *line), char *(*complete_word)(const char *word, int n))
{
    completer = complete_word;
    taker = on_line;
    rl_readline_name = "chat";
    rl_attempted_completion_function = complete;
    rl_completer_word_break_characters = " ";
    rl_catch_signals = 0;
    rl_catch_sigwinch = 0;
    rl_variable_bind("enable-bracketed-paste", "on");
    rl_callback_handler_install("", take_line);
    rl_bind_key('\r', on_enter);
    rl_bind_key('\n', on_enter);
    signal(SIGWINCH, on_resize);
    is_open = true;
}

void screen_close(void)
{
    if (!is_open)
        return;
    is_open = false;
    screen_let_go();
    rl_clear_visible_line();
    rl_callback_handler_remove();
    fflush(stdout);
}

void screen_prompt(const char *text, const char *when_entered)
{
    snprintf(entered, sizeof entered, "%s", when_entered);
    if (is_taken)
        rl_set_prompt(text);
    else
        set_prompt(text);
}

/* print -- above the prompt, and in the place of so many of the lines that wait there. */
static void print(const char *lines, size_t instead)
{
    screen_fit();
    rl_clear_visible_line();
    lift();
    instead = min_size(instead, n_kept);
    for (size_t i = 0; i < instead; i++)
        free(kept[i]);
    n_kept -= instead;
    memmove(kept, kept + instead, n_kept * sizeof kept[0]);
    fputs(lines, stdout);
    for (size_t i = 0; i < n_kept; i++)
        printf("%s\n", kept[i]);
    fflush(stdout);
    rl_on_new_line();
    rl_redisplay();
}

void screen_print(const char *lines)
{
    if (is_open && !is_taken) {
        print(lines, 0);
        return;
    }
    screen_let_go();
    fputs(lines, stdout);
    fflush(stdout);
}

void screen_print_kept(const char *lines)
{
    if (is_open && !is_taken)
        print(lines, 1);
    else
        screen_print(lines);
}

void screen_input(void)
{
    rl_callback_read_char();
}

void screen_remember(const char *line)
{
    add_history(line);
}
