#include "admin/secret.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

/* The next line of standard input without its end; not a byte more is read, and stdio keeps no copy.  Empty at the end of the input. */
static bool read_line(char *to, size_t size, const char **problem)
{
    size_t length = 0;
    ssize_t got;
    char c = '\0';

    while ((got = read(STDIN_FILENO, &c, 1)) == 1 && c != '\n') {
        if (c == '\0' || length == size - 1) {
            *problem = c == '\0' ? "what was typed has a NUL" : "what was typed is too long";
            return false;
        }
        to[length++] = c;
    }
    if (got < 0) {
        *problem = errno == EINTR ? "interrupted" : "standard input cannot be read";
        return false;
    }
    if (length > 0 && to[length - 1] == '\r')
        length--;
    to[length] = '\0';
    return true;
}

static void wake_up(int signal)
{
    (void)signal;
}

/* Without echo; a signal that would end the process ends the reading instead. */
static bool read_hidden(const char *prompt, char *to, size_t size, const char **problem)
{
    static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP};
    enum { SIGNALS = sizeof signals / sizeof signals[0] };
    const struct sigaction interrupt = {.sa_handler = wake_up};
    struct sigaction before[SIGNALS];
    struct termios terminal, silent;
    bool ok;

    *problem = "the terminal cannot be made silent";
    if (tcgetattr(STDIN_FILENO, &terminal) != 0)
        return false;
    silent = terminal;
    silent.c_lflag &= ~(tcflag_t)ECHO;
    silent.c_lflag |= ICANON;
    for (int i = 0; i < SIGNALS; i++)
        sigaction(signals[i], &interrupt, &before[i]);
    ok = tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent) == 0;
    if (ok) {
        fputs(prompt, stderr);
        ok = read_line(to, size, problem);
        fputs("\n", stderr);
        tcsetattr(STDIN_FILENO, TCSAFLUSH, &terminal);
    }
    for (int i = 0; i < SIGNALS; i++)
        sigaction(signals[i], &before[i], NULL);
    return ok;
}

static bool read_twice(char *to, const char **problem)
{
    char again[SECRET_SIZE];
    bool ok = read_hidden("Password: ", to, SECRET_SIZE, problem) && read_hidden("Again: ", again, sizeof again, problem);

    if (ok && strcmp(to, again) != 0) {
        *problem = "the two passwords differ";
        ok = false;
    }
    explicit_bzero(again, sizeof again);
    return ok;
}

bool secret_read(char *to, const char **problem)
{
    if (!(isatty(STDIN_FILENO) ? read_twice(to, problem) : read_line(to, SECRET_SIZE, problem)))
        return false;
    if (to[0] == '\0')
        *problem = "no password was given";
    return to[0] != '\0';
}

bool secret_read_once(const char *prompt, char *to, size_t size, const char **problem)
{
    return isatty(STDIN_FILENO) ? read_hidden(prompt, to, size, problem) : read_line(to, size, problem);
}
