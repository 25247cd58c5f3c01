/* screen.c -- the only file that knows readline. */
#include "screen.h"

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
static bool is_open, is_taken; /* is_taken: a line was typed and is being worked upon, the next one has not begun */
static char entered[256];      /* the prompt of a line that is done */

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

/* take_line -- what is printed meanwhile goes below it; readline draws the prompt when we are done. */
static void take_line(char *line)
{
    is_taken = true;
    taker(line);
    is_taken = false;
}

static void on_resize(int signo)
{
    (void)signo;
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

void screen_print(const char *lines)
{
    if (!is_open) {
        fputs(lines, stdout);
        return;
    }
    if (!is_taken)
        rl_clear_visible_line();
    fputs(lines, stdout);
    fflush(stdout);
    if (is_taken)
        return;
    rl_on_new_line();
    rl_redisplay();
}

void screen_input(void)
{
    rl_callback_read_char();
}

void screen_remember(const char *line)
{
    add_history(line);
}
