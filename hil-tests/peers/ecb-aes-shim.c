/*
 * btvirt takes its AES from the kernel (AF_ALG), which many build machines lack. Preloaded, this answers what it asks there,
 * "ecb(aes)" with a 128-bit key and one block at a time, over a socket pair that stands in for the kernel's socket.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { FAMILY = 38, LEVEL = 279, BLOCK = 16, ROUNDS = 10, MOST = 1024 };

/* By file descriptor: the far end of the pair plus one, and the key. */
static struct { int far; uint8_t key[BLOCK]; } held[MOST];
static uint8_t box[256];

static int is_ours(int fd) { return fd >= 0 && fd < MOST && held[fd].far != 0; }
static uint8_t twice(uint8_t x) { return (uint8_t)((x << 1) ^ ((x >> 7) * 0x1b)); }
static uint8_t turned(uint8_t x, int by) { return (uint8_t)((x << by) | (x >> (8 - by))); }

/* FIPS 197, 5.1.1: inverses in the field, found by walking it with a generator and its inverse. */
static void make_box(void) {
  uint8_t p = 1, q = 1;
  do {
    p = (uint8_t)(p ^ twice(p));
    q ^= (uint8_t)(q << 1), q ^= (uint8_t)(q << 2), q ^= (uint8_t)(q << 4);
    if (q & 0x80) q ^= 0x09;
    box[p] = (uint8_t)(q ^ turned(q, 1) ^ turned(q, 2) ^ turned(q, 3) ^ turned(q, 4) ^ 0x63);
  } while (p != 1);
  box[0] = 0x63;
}

/* 5.2: the next round key, in place. */
static void next_key(uint8_t k[BLOCK], uint8_t constant) {
  uint8_t t[4] = { box[k[13]], box[k[14]], box[k[15]], box[k[12]] };
  t[0] ^= constant;
  for (int i = 0; i < BLOCK; i++) k[i] ^= i < 4 ? t[i] : k[i - 4];
}

static void mix(uint8_t s[BLOCK]) {
  for (int c = 0; c < BLOCK; c += 4) {
    uint8_t a[4], all = 0;
    for (int i = 0; i < 4; i++) a[i] = s[c + i], all ^= a[i];
    for (int i = 0; i < 4; i++) s[c + i] ^= all ^ twice(a[i] ^ a[(i + 1) % 4]);
  }
}

static void encrypt(const uint8_t key[BLOCK], const uint8_t in[BLOCK], uint8_t out[BLOCK]) {
  uint8_t k[BLOCK], s[BLOCK], t[BLOCK], constant = 1;
  if (box[0] == 0) make_box();
  memcpy(k, key, BLOCK);
  for (int i = 0; i < BLOCK; i++) s[i] = in[i] ^ k[i];
  for (int round = 1; round <= ROUNDS; round++, constant = twice(constant)) {
    for (int i = 0; i < BLOCK; i++) t[i] = box[s[(i + 4 * (i % 4)) % BLOCK]];
    memcpy(s, t, BLOCK);
    if (round < ROUNDS) mix(s);
    next_key(k, constant);
    for (int i = 0; i < BLOCK; i++) s[i] ^= k[i];
  }
  memcpy(out, s, BLOCK);
}

static int make(const uint8_t *key) {
  int pair[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0) return -1;
  if (pair[0] >= MOST) { errno = EMFILE; return -1; }
  held[pair[0]].far = pair[1] + 1;
  if (key) memcpy(held[pair[0]].key, key, BLOCK);
  return pair[0];
}

#define REAL(type, name, ...) ((type(*)(__VA_ARGS__))dlsym(RTLD_NEXT, #name))

int socket(int family, int kind, int protocol) {
  return family == FAMILY ? make(NULL) : REAL(int, socket, int, int, int)(family, kind, protocol);
}
int bind(int fd, const struct sockaddr *to, socklen_t size) {
  return is_ours(fd) ? 0 : REAL(int, bind, int, const struct sockaddr *, socklen_t)(fd, to, size);
}
int setsockopt(int fd, int level, int name, const void *value, socklen_t size) {
  if (!is_ours(fd) || level != LEVEL)
    return REAL(int, setsockopt, int, int, int, const void *, socklen_t)(fd, level, name, value, size);
  if (size == BLOCK) memcpy(held[fd].key, value, BLOCK);
  return 0;
}
int accept(int fd, struct sockaddr *from, socklen_t *size) {
  return is_ours(fd) ? make(held[fd].key)
                     : REAL(int, accept, int, struct sockaddr *, socklen_t *)(fd, from, size);
}
int close(int fd) {
  if (is_ours(fd)) {
    REAL(int, close, int)(held[fd].far - 1);
    held[fd].far = 0;
  }
  return REAL(int, close, int)(fd);
}
ssize_t sendmsg(int fd, const struct msghdr *message, int flags) {
  if (!is_ours(fd)) return REAL(ssize_t, sendmsg, int, const struct msghdr *, int)(fd, message, flags);
  uint8_t out[BLOCK];
  if (message->msg_iovlen != 1 || message->msg_iov[0].iov_len != BLOCK) { errno = EINVAL; return -1; }
  encrypt(held[fd].key, message->msg_iov[0].iov_base, out);
  return write(held[fd].far - 1, out, BLOCK);
}
