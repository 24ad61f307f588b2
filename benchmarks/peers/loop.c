/* The limit: accept, recv, parse, send, close, one connection after the other, and nothing else.
 *
 *   loop SOCKET
 *
 * Knows just enough HTTP to find the end of the head, the Content-Length and so the end of the body. */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static char buffer[1 << 20];
static const char ok[] = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";

/* The size of the whole request, 0 if its head is not complete, -1 if it is none. */
static long whole_size(size_t have) {
    char *end = memmem(buffer, have, "\r\n\r\n", 4);
    if (!end) return 0;
    if (memcmp(buffer, "POST /hook", 10)) return -1;
    long body = 0;
    for (char *line = memmem(buffer, have, "\r\n", 2) + 2; line < end; line = (char *)memmem(line, (size_t)(end + 2 - line), "\r\n", 2) + 2) {
        char *colon = memchr(line, ':', (size_t)(end - line));
        if (!colon) return -1;
        if (colon - line == 14 && !strncasecmp(line, "Content-Length", 14)) body = strtol(colon + 1, NULL, 10);
    }
    return end + 4 - buffer + body;
}

int main(int argc, char **argv) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (argc != 2 || strlen(argv[1]) >= sizeof address.sun_path) {
        fprintf(stderr, "usage: loop SOCKET\n");
        return 2;
    }
    strcpy(address.sun_path, argv[1]);
    int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (listener < 0 || bind(listener, (struct sockaddr *)&address, sizeof address) < 0 || listen(listener, 4096) < 0) {
        perror("loop");
        return 1;
    }
    fprintf(stderr, "listening\n");
    for (;;) {
        int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        if (fd < 0) continue;
        size_t have = 0;
        for (;;) {
            ssize_t n = recv(fd, buffer + have, sizeof buffer - have, 0);
            if (n <= 0) break;
            have += (size_t)n;
            long size = whole_size(have);
            if (size < 0 || (size > 0 && have >= (size_t)size)) {
                if (size > 0) send(fd, ok, sizeof ok - 1, MSG_NOSIGNAL);
                break;
            }
        }
        close(fd);
    }
}
