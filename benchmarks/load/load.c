/* A load of clients, each a thread that opens a connection for each event: connect, send, read the answer, close.
 *
 *   load SOCKET CLIENTS SECONDS WARMUP_SECONDS < request
 *
 * The request is sent as it is. The answer is read as curl does: to the end of its head if it says that nothing follows
 * (Content-Length: 0), else until the server closes. It counts if it begins with "HTTP/1.1 200" (or 1.0).
 * Prints one JSON object: requests, errors, seconds, and latencies in microseconds. */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { PERIOD_NOT_BEGUN, PERIOD_MEASURED, PERIOD_OVER };

static struct sockaddr_un address;
static char *request;
static size_t request_size;
static atomic_int period = PERIOD_NOT_BEGUN;

struct client {
    pthread_t thread;
    uint32_t *latencies; /* nanoseconds */
    size_t count, room, errors;
};

static uint64_t now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* Whether the head is complete and says that there is no body. */
static int is_whole(char *answer, size_t have) {
    char *end = memmem(answer, have, "\r\n\r\n", 4);
    for (char *line = answer; end && line < end; line = (char *)memmem(line, (size_t)(end + 2 - line), "\r\n", 2) + 2)
        if (!strncasecmp(line, "Content-Length: 0\r", 18)) return 1;
    return 0;
}

static int one_event(void) {
    char answer[4096];
    size_t have = 0;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return -1;
    if (connect(fd, (struct sockaddr *)&address, sizeof address) < 0) goto failed;
    for (size_t sent = 0; sent < request_size;) {
        ssize_t n = send(fd, request + sent, request_size - sent, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) goto failed;
        sent += (size_t)n;
    }
    for (;;) {
        ssize_t n = recv(fd, answer + have, sizeof answer - have, 0);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) goto failed;
        if (n == 0) break;
        have += (size_t)n;
        if (is_whole(answer, have)) break;
        if (have == sizeof answer) goto failed;
    }
    close(fd);
    return have >= 12 && !memcmp(answer, "HTTP/1.", 7) && !memcmp(answer + 8, " 200", 4) ? 0 : -1;
failed:
    close(fd);
    return -1;
}

static void *run(void *argument) {
    struct client *client = argument;
    for (;;) {
        uint64_t begun = now();
        int outcome = one_event();
        uint64_t took = now() - begun;
        int in = atomic_load_explicit(&period, memory_order_relaxed);
        if (in == PERIOD_OVER) return NULL;
        if (in == PERIOD_NOT_BEGUN) continue;
        if (outcome < 0) {
            client->errors++;
            continue;
        }
        if (client->count == client->room) {
            client->room = client->room ? client->room * 2 : 65536;
            client->latencies = realloc(client->latencies, client->room * sizeof *client->latencies);
            if (!client->latencies) abort();
        }
        client->latencies[client->count++] = took > UINT32_MAX ? UINT32_MAX : (uint32_t)took;
    }
}

static int by_size(const void *a, const void *b) {
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static void pause_for(double seconds) {
    struct timespec t = {(time_t)seconds, (long)((seconds - (double)(time_t)seconds) * 1e9)};
    while (nanosleep(&t, &t) < 0 && errno == EINTR) {
    }
}

int main(int argc, char **argv) {
    if (argc != 5) {
        fprintf(stderr, "usage: load SOCKET CLIENTS SECONDS WARMUP_SECONDS < request\n");
        return 2;
    }
    address.sun_family = AF_UNIX;
    if (strlen(argv[1]) >= sizeof address.sun_path) {
        fprintf(stderr, "load: the socket's path is too long\n");
        return 2;
    }
    strcpy(address.sun_path, argv[1]);
    int clients = atoi(argv[2]);
    double seconds = atof(argv[3]), warmup = atof(argv[4]);
    for (size_t room = 1 << 20;;) {
        if (!request) request = malloc(room);
        size_t n = fread(request + request_size, 1, room - request_size, stdin);
        if (n == 0) break;
        request_size += n;
        if (request_size == room) request = realloc(request, room *= 2);
    }
    struct client *all = calloc((size_t)clients, sizeof *all);
    for (int i = 0; i < clients; i++) {
        if (pthread_create(&all[i].thread, NULL, run, &all[i])) {
            fprintf(stderr, "load: cannot start client %d\n", i);
            return 1;
        }
    }
    pause_for(warmup);
    uint64_t begun = now();
    atomic_store(&period, PERIOD_MEASURED);
    pause_for(seconds);
    atomic_store(&period, PERIOD_OVER);
    double took = (double)(now() - begun) / 1e9;
    size_t count = 0, errors = 0;
    for (int i = 0; i < clients; i++) {
        pthread_join(all[i].thread, NULL);
        count += all[i].count;
        errors += all[i].errors;
    }
    uint32_t *latencies = malloc((count ? count : 1) * sizeof *latencies);
    size_t at = 0;
    for (int i = 0; i < clients; i++) {
        if (all[i].count) memcpy(latencies + at, all[i].latencies, all[i].count * sizeof *latencies);
        at += all[i].count;
    }
    qsort(latencies, count, sizeof *latencies, by_size);
    printf("{\"requests\":%zu,\"errors\":%zu,\"seconds\":%.6f,\"p50_us\":%.1f,\"p99_us\":%.1f,\"max_us\":%.1f}\n", count,
           errors, took, count ? latencies[count / 2] / 1e3 : 0.0, count ? latencies[count * 99 / 100] / 1e3 : 0.0,
           count ? latencies[count - 1] / 1e3 : 0.0);
    return 0;
}
