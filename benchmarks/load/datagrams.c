/* A load of clients, each a thread that sends one datagram for each event and gets no answer.
 *
 *   datagrams SOCKET CLIENTS SECONDS WARMUP_SECONDS < datagram
 *
 * A send waits while the receiver's queue is full. Prints one JSON object, as `load` does: requests, errors, seconds, and
 * latencies in microseconds; and `sent`, which counts the warming up too. */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { PERIOD_NOT_BEGUN, PERIOD_MEASURED, PERIOD_OVER };

static struct sockaddr_un address = {.sun_family = AF_UNIX};
static char datagram[1 << 20];
static size_t size;
static atomic_int period = PERIOD_NOT_BEGUN;

struct client {
    pthread_t thread;
    uint32_t *latencies; /* nanoseconds */
    size_t count, room, errors, sent;
};

static uint64_t now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void *run(void *argument) {
    struct client *client = argument;
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0), room = 1 << 20;
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &room, sizeof room) < 0 ||
        connect(fd, (struct sockaddr *)&address, sizeof address) < 0) {
        perror("datagrams");
        exit(1);
    }
    for (;;) {
        int then = atomic_load(&period);
        if (then == PERIOD_OVER) break;
        uint64_t begun = now();
        int done = send(fd, datagram, size, MSG_NOSIGNAL) == (ssize_t)size;
        client->sent += (size_t)done;
        if (then != PERIOD_MEASURED) continue;
        if (!done) {
            client->errors++;
            continue;
        }
        if (client->count == client->room) client->latencies = realloc(client->latencies, (client->room = client->room * 2 + 1024) * sizeof *client->latencies);
        client->latencies[client->count++] = (uint32_t)(now() - begun);
    }
    close(fd);
    return NULL;
}

static int by_value(const void *a, const void *b) {
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

int main(int argc, char **argv) {
    if (argc != 5 || strlen(argv[1]) >= sizeof address.sun_path) {
        fprintf(stderr, "usage: datagrams SOCKET CLIENTS SECONDS WARMUP_SECONDS < datagram\n");
        return 2;
    }
    strcpy(address.sun_path, argv[1]);
    size = fread(datagram, 1, sizeof datagram, stdin);
    int count = atoi(argv[2]);
    struct client *clients = calloc((size_t)count, sizeof *clients);
    for (int i = 0; i < count; i++) pthread_create(&clients[i].thread, NULL, run, &clients[i]);
    usleep((useconds_t)(atof(argv[4]) * 1e6));
    uint64_t begun = now();
    atomic_store(&period, PERIOD_MEASURED);
    usleep((useconds_t)(atof(argv[3]) * 1e6));
    atomic_store(&period, PERIOD_OVER);
    uint64_t ended = now();
    size_t all = 0, errors = 0, sent = 0;
    for (int i = 0; i < count; i++) {
        pthread_join(clients[i].thread, NULL);
        all += clients[i].count, errors += clients[i].errors, sent += clients[i].sent;
    }
    uint32_t *latencies = malloc((all + 1) * sizeof *latencies);
    size_t at = 0;
    for (int i = 0; i < count; i++) {
        if (clients[i].count) memcpy(latencies + at, clients[i].latencies, clients[i].count * sizeof *latencies);
        at += clients[i].count;
    }
    qsort(latencies, all, sizeof *latencies, by_value);
    printf("{\"requests\":%zu,\"errors\":%zu,\"sent\":%zu,\"seconds\":%f,\"p50_us\":%.1f,\"p99_us\":%.1f}\n", all, errors, sent,
           (double)(ended - begun) / 1e9, all ? latencies[all / 2] / 1e3 : 0, all ? latencies[all * 99 / 100] / 1e3 : 0);
    return 0;
}
