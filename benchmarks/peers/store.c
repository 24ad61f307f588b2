/* The same work in C: accept, read, credentials and groups, one SQLite transaction in WAL for each turn, then the answers.
 *
 *   store SOCKET DATABASE
 *
 * One thread and one loop. A turn takes all connections that wait and all that they have said; what has come whole is
 * stored in one transaction with the columns that observatory stores, written to standard output as its line, and then
 * answered. Knows of HTTP and JSON what the load sends, and trusts it: it is a limit and no server. */
#define _GNU_SOURCE
#include <errno.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { CONNECTIONS = 1 << 16, GROUPS = 1024, EVENTS = 512 };

struct connection {
    char *data;
    size_t have, room;
    struct ucred peer;
    gid_t groups[GROUPS];
    unsigned group_count;
};

static struct connection *connections[CONNECTIONS];
static int whole[CONNECTIONS], whole_count;
static long last_id;
static char *lines; /* of one turn */
static size_t lines_size, lines_room = 1 << 16;
static const char ok[] = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";

static void fail(const char *what) {
    fprintf(stderr, "store: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void must(sqlite3 *database, int status) {
    if (status != SQLITE_OK && status != SQLITE_DONE) {
        fprintf(stderr, "store: %s\n", sqlite3_errmsg(database));
        exit(1);
    }
}

static char *body_of(const struct connection *each, size_t *size) {
    char *end = memmem(each->data, each->have, "\r\n\r\n", 4);
    if (!end) return NULL;
    for (char *line = each->data; line < end; line = (char *)memmem(line, (size_t)(end + 2 - line), "\r\n", 2) + 2)
        if (!strncasecmp(line, "Content-Length:", 15)) *size = strtoul(line + 15, NULL, 10);
    return end + 4;
}

static int is_whole(const struct connection *each) {
    size_t size = 0;
    char *body = body_of(each, &size);
    return body && each->have >= (size_t)(body - each->data) + size;
}

static void take(int fd) {
    struct connection *each = calloc(1, sizeof *each);
    socklen_t size = sizeof each->peer;
    if (!each || fd >= CONNECTIONS) fail("accept");
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &each->peer, &size) < 0) fail("SO_PEERCRED");
    size = sizeof each->groups;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, each->groups, &size) < 0) fail("SO_PEERGROUPS");
    each->group_count = size / sizeof *each->groups;
    each->room = 4096;
    each->data = malloc(each->room);
    connections[fd] = each;
}

static void forget(int fd) {
    free(connections[fd]->data);
    free(connections[fd]);
    connections[fd] = NULL;
    close(fd);
}

/* Read what is there: 1 if the request is whole, 0 if more is to come, -1 if nothing more will. */
static int read_some(int fd) {
    struct connection *each = connections[fd];
    for (;;) {
        if (each->have + 4096 > each->room) each->data = realloc(each->data, each->room *= 2);
        ssize_t n = recv(fd, each->data + each->have, each->room - each->have, MSG_DONTWAIT);
        if (n < 0) return errno == EAGAIN ? 0 : -1;
        if (n == 0) return -1;
        each->have += (size_t)n;
        if (is_whole(each)) return 1;
    }
}

static void text_after(sqlite3_stmt *insert, int column, const char *body, size_t size, const char *name) {
    const char *begin = memmem(body, size, name, strlen(name));
    const char *end = begin ? memchr(begin + strlen(name), '"', size - (size_t)(begin - body) - strlen(name)) : NULL;
    if (end) sqlite3_bind_text(insert, column, begin + strlen(name), (int)(end - begin - (long)strlen(name)), SQLITE_STATIC);
    else sqlite3_bind_null(insert, column);
}

/* The line of one event, at the end of the turn's lines: its size. */
static size_t compose(struct connection *each, const char *body, size_t size, const struct timespec *now) {
    char stamp[32];
    struct tm date;
    gmtime_r(&now->tv_sec, &date);
    strftime(stamp, sizeof stamp, "%Y-%m-%dT%H:%M:%S", &date);
    while (lines_room - lines_size < size + 512 + 12 * (size_t)each->group_count) lines = realloc(lines, lines_room *= 2);
    char *to = lines + lines_size;
    to += sprintf(to, "{\"_id\":%ld,\"_ts\":\"%s.%06ldZ\",\"_event\":\"PostToolUse\",\"_peer_pid\":%d,\"_peer_uid\":%u,\"_peer_gid\":%u,\"_peer_groups\":[",
                  ++last_id, stamp, now->tv_nsec / 1000, each->peer.pid, each->peer.uid, each->peer.gid);
    for (unsigned number = 0; number < each->group_count; number++)
        to += sprintf(to, number ? ",%u" : "%u", each->groups[number]);
    to += sprintf(to, "],");
    memcpy(to, body + 1, size - 1);
    to[size - 1] = '\n';
    return (size_t)(to + size - (lines + lines_size));
}

static void store(sqlite3 *database, sqlite3_stmt *insert, struct connection *each) {
    size_t size = 0;
    const char *body = body_of(each, &size);
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    size_t line = compose(each, body, size, &now);
    sqlite3_bind_int64(insert, 1, last_id);
    sqlite3_bind_int64(insert, 2, now.tv_sec * 1000000 + now.tv_nsec / 1000);
    sqlite3_bind_text(insert, 3, "PostToolUse", -1, SQLITE_STATIC);
    sqlite3_bind_int64(insert, 4, each->peer.uid);
    text_after(insert, 5, body, size, "\"session_id\": \"");
    text_after(insert, 6, body, size, "\"tool_name\": \"");
    sqlite3_bind_blob(insert, 7, lines + lines_size, (int)line - 1, SQLITE_STATIC);
    must(database, sqlite3_step(insert));
    must(database, sqlite3_reset(insert));
    lines_size += line;
}

/* All that the turn has brought: one transaction, one write, then the answers. */
static void commit(sqlite3 *database, sqlite3_stmt *insert) {
    lines_size = 0;
    must(database, sqlite3_exec(database, "BEGIN IMMEDIATE", NULL, NULL, NULL));
    for (int number = 0; number < whole_count; number++) store(database, insert, connections[whole[number]]);
    must(database, sqlite3_exec(database, "COMMIT", NULL, NULL, NULL));
    for (size_t written = 0; written < lines_size;) {
        ssize_t n = write(STDOUT_FILENO, lines + written, lines_size - written);
        if (n < 0) fail("standard output");
        written += (size_t)n;
    }
    for (int number = 0; number < whole_count; number++) {
        send(whole[number], ok, sizeof ok - 1, MSG_NOSIGNAL | MSG_DONTWAIT);
        forget(whole[number]);
    }
    whole_count = 0;
}

static void hear(int poll, int fd, int is_new) {
    int found = read_some(fd);
    if (found > 0) whole[whole_count++] = fd;
    else if (found < 0) forget(fd);
    else if (is_new) {
        struct epoll_event wanted = {.events = EPOLLIN, .data.fd = fd};
        if (epoll_ctl(poll, EPOLL_CTL_ADD, fd, &wanted) < 0) fail("epoll_ctl");
    }
}

int main(int argc, char **argv) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    sqlite3 *database;
    sqlite3_stmt *insert;
    if (argc != 3 || strlen(argv[1]) >= sizeof address.sun_path) {
        fprintf(stderr, "usage: store SOCKET DATABASE\n");
        return 2;
    }
    must(NULL, sqlite3_open(argv[2], &database));
    must(database, sqlite3_exec(database,
                                "PRAGMA page_size = 8192; PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;"
                                "CREATE TABLE event (id INTEGER PRIMARY KEY, time INTEGER NOT NULL, name TEXT NOT NULL, uid INTEGER,"
                                " session TEXT, tool TEXT, line BLOB NOT NULL)", NULL, NULL, NULL));
    must(database, sqlite3_prepare_v2(database, "INSERT INTO event VALUES (?, ?, ?, ?, ?, ?, ?)", -1, &insert, NULL));
    lines = malloc(lines_room);
    strcpy(address.sun_path, argv[1]);
    int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (listener < 0 || bind(listener, (struct sockaddr *)&address, sizeof address) < 0 || listen(listener, 4096) < 0) fail("listen");
    int poll = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event wanted = {.events = EPOLLIN, .data.fd = listener}, events[EVENTS];
    if (epoll_ctl(poll, EPOLL_CTL_ADD, listener, &wanted) < 0) fail("epoll_ctl");
    fprintf(stderr, "listening\n");
    for (;;) {
        int count = epoll_wait(poll, events, EVENTS, -1);
        for (int number = 0; number < count; number++) {
            int fd = events[number].data.fd;
            if (fd != listener) hear(poll, fd, 0);
            else while ((fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC)) >= 0) {
                take(fd);
                hear(poll, fd, 1);
            }
        }
        if (whole_count) commit(database, insert);
    }
}
