/* Starts the program that the rest of the command line names, and ends as it ended. For tests alone; nothing of it is
 * shipped.
 *
 * A program with threads now and then hangs in Wine 8 after its last statement, on a lock of the C library that a thread
 * took with it, until Wine's server kills it a moment later: its end is then a signal to whoever started it from
 * outside. What it ended with is known to Windows all the same, and this one, which has no threads, asks Windows.
 */
#include <stdio.h>
#include <windows.h>

enum { TRIES = 25, NOT_STARTED = 127 };

/* From here on it is no program that says how it ended, but Windows: the least of the error statuses. */
#define BROKEN 0xc0000000ul

int main(void)
{
    WCHAR *rest = GetCommandLineW();
    STARTUPINFOW begin = { sizeof begin };
    PROCESS_INFORMATION program;
    BOOL quoted = FALSE;
    DWORD code;
    int tries;

    for (; *rest && (quoted || *rest != ' '); rest++)
        if (*rest == '"') quoted = !quoted;
    while (*rest == ' ') rest++;
    /* Right after an installation Wine now and then starts nothing; what did not start may be started again. */
    for (tries = 1; !CreateProcessW(NULL, rest, NULL, NULL, TRUE, 0, NULL, NULL, &begin, &program); tries++) {
        if (tries == TRIES) {
            fprintf(stderr, "launch: not started, error %lu\n", GetLastError());
            return NOT_STARTED;
        }
        Sleep(200);
    }
    WaitForSingleObject(program.hProcess, INFINITE);
    GetExitCodeProcess(program.hProcess, &code);
    if (code >= BROKEN) fprintf(stderr, "launch: ended by exception %08lx\n", code);
    return code;
}
