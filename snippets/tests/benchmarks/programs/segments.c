/* Sends packets from one end of a pair of interfaces at a steady rate.
 * Usage: segments INTERFACE RATE COUNT PACKET...; RATE is packets a second, a PACKET is
 * an IPv4 packet in hexadecimal digits, and they are sent in turn. Prints the seconds
 * that it took: where they are more than COUNT / RATE, it could not send faster. */

#include <arpa/inet.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

enum { MOST = 64, LONGEST = 1514, HEADER = 14 };
static unsigned char frames[MOST][LONGEST];
static size_t lengths[MOST];

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec + time.tv_nsec / 1e9;
}

/* To a MAC address that nobody has: the packet passes, and nobody answers. */
static size_t make_frame(unsigned char *frame, const char *digits) {
    size_t length = HEADER;
    memcpy(frame, "\x02\0\0\0\0\x02\x02\0\0\0\0\x01\x08\0", HEADER);
    for (; length < LONGEST && sscanf(digits, "%2hhx", frame + length) == 1; length++)
        digits += 2;
    return length;
}

int main(int argc, char **argv) {
    int kinds = argc - 4, on = 1;
    if (kinds < 1 || kinds > MOST)
        return 2;
    double rate = atof(argv[2]);
    long count = atol(argv[3]);
    for (int kind = 0; kind < kinds; kind++)
        lengths[kind] = make_frame(frames[kind], argv[4 + kind]);
    struct sockaddr_ll address = {.sll_family = AF_PACKET,
                                  .sll_ifindex = if_nametoindex(argv[1])};
    int sock = socket(AF_PACKET, SOCK_RAW, 0);
    setsockopt(sock, SOL_PACKET, PACKET_QDISC_BYPASS, &on, sizeof on);
    if (bind(sock, (struct sockaddr *)&address, sizeof address) < 0) {
        perror("bind");
        return 1;
    }
    double begin = now();
    for (long number = 0; number < count; number++) {
        while (now() < begin + number / rate)
            ;
        int kind = number % kinds;
        if (send(sock, frames[kind], lengths[kind], 0) < 0) {
            perror("send");
            return 1;
        }
    }
    printf("%.9f\n", now() - begin);
    return 0;
}
