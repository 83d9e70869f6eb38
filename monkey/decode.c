/* decode.c - see decode.h. Two tables say what follows an opcode; prefixes decide sizes. */
#include "decode.h"

#include <stdbool.h>

/* What follows an opcode byte. */
enum {
    NO = 0, /* nothing */
    MR,     /* ModRM */
    I1,     /* 8-bit immediate */
    IZ,     /* 32-bit immediate, 16 with prefix 66 */
    M1,     /* ModRM, 8-bit immediate */
    MZ,     /* ModRM, IZ */
    IV,     /* IZ, or 64-bit with REX.W */
    I2,     /* 16-bit immediate */
    I3,     /* 16-bit and 8-bit immediate (enter) */
    AD,     /* an address as wide as addresses are */
    T1,     /* ModRM; 8-bit immediate if it encodes `test` */
    TZ,     /* ModRM; IZ if it encodes `test` */
    J1,     /* 8-bit jump displacement */
    J4,     /* 32-bit jump displacement */
    XX,     /* invalid here, or a prefix handled elsewhere */
};

static const uint8_t one_byte[256] = {
    /* 00 */ MR, MR, MR, MR, I1, IZ, XX, XX, MR, MR, MR, MR, I1, IZ, XX, XX,
    /* 10 */ MR, MR, MR, MR, I1, IZ, XX, XX, MR, MR, MR, MR, I1, IZ, XX, XX,
    /* 20 */ MR, MR, MR, MR, I1, IZ, XX, XX, MR, MR, MR, MR, I1, IZ, XX, XX,
    /* 30 */ MR, MR, MR, MR, I1, IZ, XX, XX, MR, MR, MR, MR, I1, IZ, XX, XX,
    /* 40 */ XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX,
    /* 50 */ NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO,
    /* 60 */ XX, XX, XX, MR, XX, XX, XX, XX, IZ, MZ, I1, M1, NO, NO, NO, NO,
    /* 70 */ J1, J1, J1, J1, J1, J1, J1, J1, J1, J1, J1, J1, J1, J1, J1, J1,
    /* 80 */ M1, MZ, XX, M1, MR, MR, MR, MR, MR, MR, MR, MR, MR, MR, MR, MR,
    /* 90 */ NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, XX, NO, NO, NO, NO, NO,
    /* a0 */ AD, AD, AD, AD, NO, NO, NO, NO, I1, IZ, NO, NO, NO, NO, NO, NO,
    /* b0 */ I1, I1, I1, I1, I1, I1, I1, I1, IV, IV, IV, IV, IV, IV, IV, IV,
    /* c0 */ M1, M1, I2, NO, XX, XX, M1, MZ, I3, NO, I2, NO, NO, I1, XX, NO,
    /* d0 */ MR, MR, MR, MR, XX, XX, XX, NO, MR, MR, MR, MR, MR, MR, MR, MR,
    /* e0 */ J1, J1, J1, J1, I1, I1, I1, I1, J4, J4, XX, J1, NO, NO, NO, NO,
    /* f0 */ XX, NO, XX, XX, NO, NO, T1, TZ, NO, NO, NO, NO, NO, NO, MR, MR,
};

/* After 0f. 05 is `syscall`; 38 and 3a lead to further tables. */
static const uint8_t two_byte[256] = {
    /* 00 */ MR, MR, MR, MR, XX, NO, NO, NO, NO, NO, XX, NO, XX, MR, NO, M1,
    /* 10 */ MR, MR, MR, MR, MR, MR, MR, MR, MR, MR, MR, MR, MR, MR, MR, MR,
    /* 20 */ MR, MR, MR, MR, XX, XX, XX, XX, MR, MR, MR, MR, MR, MR, MR, MR,
    /* 30 */ NO, NO, NO, NO, NO, NO, XX, NO, XX, XX, XX, XX, XX, XX, XX, XX,
    /* 40 */ MR, MR, MR, MR, MR, MR, MR, MR, MR, MR, MR, MR, MR, MR, MR, MR,
    /* 50 */ MR, MR, MR, MR, MR, MR, MR, MR, MR, MR, MR, MR, MR, MR, MR, MR,
    /* 60 */ MR, MR, MR, MR, MR, MR, MR, MR, MR, MR, MR, MR, MR, MR, MR, MR,
    /* 70 */ M1, M1, M1, M1, MR, MR, MR, NO, MR, MR, XX, XX, MR, MR, MR, MR,
    /* 80 */ J4, J4, J4, J4, J4, J4, J4, J4, J4, J4, J4, J4, J4, J4, J4, J4,
    /* 90 */ MR, MR, MR, MR, MR, MR, MR, MR, MR, MR, MR, MR, MR, MR, MR, MR,
    /* a0 */ NO, NO, NO, MR, M1, MR, XX, XX, NO, NO, NO, MR, M1, MR, MR, MR,
    /* b0 */ MR, MR, MR, MR, MR, MR, MR, MR, MR, MR, M1, MR, MR, MR, MR, MR,
    /* c0 */ MR, MR, M1, MR, M1, M1, M1, MR, NO, NO, NO, NO, NO, NO, NO, NO,
    /* d0 */ MR, MR, MR, MR, MR, MR, MR, MR, MR, MR, MR, MR, MR, MR, MR, MR,
    /* e0 */ MR, MR, MR, MR, MR, MR, MR, MR, MR, MR, MR, MR, MR, MR, MR, MR,
    /* f0 */ MR, MR, MR, MR, MR, MR, MR, MR, MR, MR, MR, MR, MR, MR, MR, MR,
};

/* The instruction being read. p runs past `end` unharmed: it is compared before each access. */
struct reader {
    const uint8_t *p, *end;
    bool cut;      /* ran into the end */
    bool opsize;   /* prefix 66 */
    bool addrsize; /* prefix 67 */
    bool repne;    /* prefix f2 */
    uint8_t rex;   /* the REX prefix, or 0 */
    uint8_t map;   /* 0: one byte, 1: 0f, 2: 0f 38, 3: 0f 3a, 5 and 6: EVEX only */
    bool vector;   /* VEX or EVEX: no prefixes apply, no jumps among them */
    uint8_t opcode;
    uint8_t modrm;
};

static uint8_t next(struct reader *r)
{
    if (r->p >= r->end) {
        r->cut = true;
        return 0;
    }
    return *r->p++;
}

static void skip(struct reader *r, int n)
{
    if (r->end - r->p < n)
        r->cut = true;
    else
        r->p += n;
}

static void read_prefixes(struct reader *r)
{
    for (; r->p < r->end; r->p++) {
        uint8_t b = *r->p;
        if (b == 0x66)
            r->opsize = true;
        else if (b == 0x67)
            r->addrsize = true;
        else if (b == 0xf2)
            r->repne = true;
        else if (b != 0xf0 && b != 0xf3 && b != 0x64 && b != 0x65 && (b & 0xe7) != 0x26)
            break;
    }
    if (r->p < r->end && (*r->p & 0xf0) == 0x40)
        r->rex = *r->p++;
}

/* c5, c4 and 62 are vector prefixes in 64-bit mode, whatever follows them. */
static void read_opcode(struct reader *r)
{
    uint8_t b = next(r);
    if (b == 0x0f) {
        b = next(r);
        r->map = b == 0x38 ? 2 : b == 0x3a ? 3 : 1;
        if (r->map != 1)
            b = next(r);
    } else if (b == 0xc5) {
        r->vector = true;
        r->map = 1;
        skip(r, 1);
        b = next(r);
    } else if (b == 0xc4 || b == 0x62) {
        r->vector = true;
        r->map = next(r) & (b == 0x62 ? 7 : 31);
        skip(r, b == 0x62 ? 2 : 1);
        b = next(r);
    }
    r->opcode = b;
}

static int follows(const struct reader *r)
{
    switch (r->map) {
    case 0:
        return one_byte[r->opcode];
    case 1:
        if (r->vector && two_byte[r->opcode] == J4)
            return MR; /* mask register moves of AVX-512 */
        if (r->opcode == 0x78 && (r->opsize || r->repne) && !r->vector)
            return XX; /* SSE4a, two immediates: nobody's compiler makes them */
        return two_byte[r->opcode];
    case 2:
        return MR;
    case 3:
        return M1;
    case 5:
    case 6:
        return r->vector ? MR : XX;
    default:
        return XX;
    }
}

static void read_modrm(struct reader *r, struct insn *out, const uint8_t *start)
{
    r->modrm = next(r);
    int mod = r->modrm >> 6, rm = r->modrm & 7;
    if (mod == 3)
        return;
    if (rm == 4) {
        uint8_t sib = next(r);
        if (mod == 0 && (sib & 7) == 5)
            skip(r, 4);
    } else if (mod == 0 && rm == 5) {
        out->flags |= INSN_RIPREL;
        out->disp_at = (uint8_t)(r->p - start);
        skip(r, 4);
    }
    if (mod == 1)
        skip(r, 1);
    else if (mod == 2)
        skip(r, 4);
}

static void read_jump(struct reader *r, struct insn *out, int width)
{
    const uint8_t *at = r->p;
    skip(r, width);
    if (r->cut)
        return;
    int32_t d = width == 1 ? (int8_t)*at : *(const int32_t *)(const void *)at;
    out->target = r->p + d;
    out->flags |= INSN_LABEL | INSN_FIXED;
}

/* Whatever leaves the straight line without being a direct jump. */
static void mark_flow(const struct reader *r, struct insn *out)
{
    uint8_t op = r->opcode, reg = (r->modrm >> 3) & 7;
    if (r->vector)
        return;
    if (r->map == 1) {
        if (op == 0x05)
            out->flags |= INSN_SYSCALL | INSN_FIXED;
        else if (op == 0x0b || op == 0x34 || op == 0x35 || op == 0x07)
            out->flags |= INSN_FIXED;
    } else if (r->map == 0) {
        bool ret = op == 0xc2 || op == 0xc3 || (op >= 0xca && op <= 0xcf) || op == 0xf1;
        if (ret || op == 0xf4 || (op == 0xc7 && r->modrm == 0xf8))
            out->flags |= INSN_FIXED;
        if (op == 0xff && reg >= 2 && reg <= 5)
            out->flags |= INSN_FIXED | (reg >= 4 ? INSN_INDIRECT : 0);
    }
}

static void read_operands(struct reader *r, struct insn *out, const uint8_t *start)
{
    int kind = follows(r), z = r->opsize ? 2 : 4;
    bool wide = r->rex & 8;
    if (wide)
        z = 4;
    if (kind == MR || kind == M1 || kind == MZ || kind == T1 || kind == TZ)
        read_modrm(r, out, start);
    bool test = (r->modrm & 0x30) == 0;
    if (kind == I1 || kind == M1 || (kind == T1 && test))
        skip(r, 1);
    else if (kind == IZ || kind == MZ || (kind == TZ && test))
        skip(r, z);
    else if (kind == IV)
        skip(r, wide ? 8 : z);
    else if (kind == I2 || kind == I3)
        skip(r, kind == I2 ? 2 : 3);
    else if (kind == AD)
        skip(r, r->addrsize ? 4 : 8);
    else if (kind == J1 || kind == J4)
        read_jump(r, out, kind == J1 ? 1 : 4);
    else if (kind == XX)
        r->cut = true;
    if (r->map == 0 && r->opcode == 0x8f && (r->modrm & 0x38))
        r->cut = true; /* AMD's XOP space */
}

int decode(const uint8_t *p, const uint8_t *end, struct insn *out)
{
    struct reader r = {.p = p, .end = end - p > 15 ? p + 15 : end};
    *out = (struct insn){0};
    read_prefixes(&r);
    read_opcode(&r);
    read_operands(&r, out, p);
    mark_flow(&r, out);
    if (r.cut)
        return 0;
    if (r.addrsize && (out->flags & INSN_RIPREL))
        out->flags |= INSN_FIXED;
    out->len = (uint8_t)(r.p - p);
    return out->len;
}
