/* Keeps a window of datagrams on their way to an echo server and back.
 * Usage: udp_load PORT SIZE WINDOW SECONDS; prints how many came back (at least one,
 * however long that takes), how many were lost, and the seconds. A datagram begins
 * with its number. When nothing has come for PATIENCE, what is on its way counts as
 * lost; what comes later is not counted. */

#include <arpa/inet.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

enum { PATIENCE = 1000 /* ms */, LONGEST = 65507 };
static char buffer[LONGEST];

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec + time.tv_nsec / 1e9;
}

int main(int argc, char **argv) {
    if (argc != 5)
        return 2;
    long size = atol(argv[2]), window = atol(argv[3]);
    double seconds = atof(argv[4]);
    struct sockaddr_in address = {.sin_family = AF_INET};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(atoi(argv[1]));
    int sock = socket(AF_INET, SOCK_DGRAM, 0);
    if (size < (long)sizeof(uint64_t) || size > LONGEST || window < 1)
        return 2;
    if (connect(sock, (struct sockaddr *)&address, sizeof address) < 0) {
        perror("connect");
        return 1;
    }
    uint64_t next = 0, oldest = 0, echoed = 0, lost = 0;
    long on_the_way = 0;
    double begin = now(), end = begin + seconds, time = begin;
    while (time < end || !echoed) {
        for (; on_the_way < window; on_the_way++) {
            memcpy(buffer, &next, sizeof next);
            next++;
            if (send(sock, buffer, size, 0) != size) {
                perror("send");
                return 1;
            }
        }
        ssize_t count = recv(sock, buffer, sizeof buffer, MSG_DONTWAIT);
        if (count < 0) {
            struct pollfd waiting = {.fd = sock, .events = POLLIN};
            if (poll(&waiting, 1, PATIENCE) == 0) {
                lost += on_the_way;
                on_the_way = 0;
                oldest = next;
            } else if (recv(sock, buffer, 0, MSG_PEEK | MSG_DONTWAIT) < 0) {
                perror("recv");
                return 1;
            }
            time = now();
            continue;
        }
        uint64_t number;
        memcpy(&number, buffer, sizeof number);
        if (count == size && number >= oldest) {
            on_the_way--;
            echoed++;
        }
        if (echoed % 64 == 0)
            time = now();
    }
    printf("%llu %llu %.9f\n", (unsigned long long)echoed, (unsigned long long)lost,
           now() - begin);
    return 0;
}
