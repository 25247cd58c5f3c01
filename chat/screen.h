/* screen.h -- the terminal: a line being typed at the bottom, everything else above it. */
#ifndef CHAT_SCREEN_H
#define CHAT_SCREEN_H

#include "base/base.h"

/* screen_open -- `on_line` gets each line typed (NULL: end of input); `complete` gives the n-th completion of a word
 * at the start of the line or behind a command, to be freed by the caller, or NULL. */
void screen_open(void (*on_line)(char *line), char *(*complete)(const char *word, int n));

/* screen_close -- give the terminal back as it was. */
void screen_close(void);

/* screen_prompt -- "room> "; shown at once.  when_entered: what stays before a line that was typed when it is done. */
void screen_prompt(const char *text, const char *when_entered);

/* screen_print -- whole lines above the line being typed, which stays as it is. */
void screen_print(const char *lines);

/* screen_keep -- the line that was just entered waits: it stays right above the prompt, below all that is printed, until
 * screen_print_kept() prints `lines` in the place of the oldest that waits, or screen_let_go() leaves all of them where they
 * are.  Called while a line is being taken. */
void screen_keep(void);
void screen_print_kept(const char *lines);
void screen_let_go(void);

/* screen_fit -- to the size that the terminal has now; after each wait for what comes. */
void screen_fit(void);

/* screen_input -- standard input has something. */
void screen_input(void);

/* screen_remember -- a line for the arrow keys. */
void screen_remember(const char *line);

#endif
