/* The limit for attempts per second: connect(2) in a plain loop, without any interpreter.

   attempts loop DIRECTORY UID SECONDS   make 512 sockets, one for each mode, become UID, try them in turn; print the rate
   attempts one PATH                     try once, for the peers that start a process for each attempt */

#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { SOCKETS = 512 };

static int fail(const char *what) {
    fprintf(stderr, "attempts: %s: %s\n", what, strerror(errno));
    return 1;
}

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static struct sockaddr_un address_of(const char *path) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    return address;
}

static int loop(const char *directory, uid_t uid, double seconds) {
    static struct sockaddr_un addresses[SOCKETS];
    static int listeners[SOCKETS];
    static unsigned char outcomes[SOCKETS];
    long attempts = 0;
    if (mkdir(directory, 0755) != 0) return fail(directory);
    for (int mode = 0; mode < SOCKETS; mode++) {
        char path[sizeof addresses[0].sun_path];
        snprintf(path, sizeof path, "%s/%03o", directory, (unsigned)mode);
        addresses[mode] = address_of(path);
        listeners[mode] = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (bind(listeners[mode], (struct sockaddr *)&addresses[mode], sizeof addresses[mode]) != 0) return fail(path);
        if (chmod(path, (mode_t)mode) != 0 || listen(listeners[mode], SOMAXCONN) != 0) return fail(path);
    }
    if (setresgid(uid, uid, uid) != 0 || setresuid(uid, uid, uid) != 0) return fail("setresuid");
    double begun = now(), taken = 0;
    for (; taken < seconds; taken = now() - begun) {
        int client = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        for (int mode = 0; mode < SOCKETS; mode++) {
            int refused = connect(client, (struct sockaddr *)&addresses[mode], sizeof addresses[mode]) != 0;
            outcomes[mode] = refused ? (unsigned char)errno : 0;
            if (!refused) {
                close(accept4(listeners[mode], NULL, NULL, SOCK_CLOEXEC));
                close(client);
                client = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
            }
        }
        close(client);
        attempts += SOCKETS;
    }
    if (outcomes[0] != EACCES || outcomes[SOCKETS - 1] != 0) return fail("not the outcomes that the modes ask for");
    printf("%f\n", (double)attempts / taken);
    return 0;
}

int main(int count, char **arguments) {
    if (count == 5 && strcmp(arguments[1], "loop") == 0)
        return loop(arguments[2], (uid_t)atoi(arguments[3]), atof(arguments[4]));
    if (count == 3 && strcmp(arguments[1], "one") == 0) {
        struct sockaddr_un address = address_of(arguments[2]);
        int client = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        return connect(client, (struct sockaddr *)&address, sizeof address) == 0 ? 0 : errno;
    }
    fprintf(stderr, "usage: attempts loop DIRECTORY UID SECONDS | attempts one PATH\n");
    return 2;
}
