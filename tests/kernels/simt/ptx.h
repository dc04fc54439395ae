// What kernels/cuda/ptx.cuh is on a GPU, after the PTX ISA on cp.async, ldmatrix and mma.m16n8k16.
// A copy is done when it is waited for, or at once if the options say so.
#pragma once

#include "machine.h"

inline unsigned char *shared_memory() { return simt::machine.shared; }

inline void must_be_shared(const void *at, int bytes, const char *what) {
    const unsigned char *place = (const unsigned char *)at, *shared = simt::machine.shared;
    if (place < shared || place + bytes > shared + simt::machine.shared_bytes)
        simt::fail(std::string(what) + " outside the block's shared memory");
    if ((place - shared) % 16) simt::fail(std::string(what) + " isn't aligned to 16 bytes");
}

inline void do_copy(const simt::Copy &copy) {
    memset(copy.to, 0, copy.bytes);
    memcpy(copy.to, copy.from, copy.valid);
}

inline void copy_async(void *to, const void *from, bool there) {
    must_be_shared(to, 16, "cp.async");
    if ((uintptr_t)from % 16) simt::fail("cp.async from an address that isn't aligned to 16 bytes");
    simt::Copy copy = {to, from, 16, there ? 16 : 0};
    if (simt::machine.options.eager) return do_copy(copy);
    simt::self().open.push_back(copy);
}

inline void copy_commit() {
    simt::self().groups.push_back(std::move(simt::self().open));
    simt::self().open.clear();
}

template <int PENDING>
void copy_wait() {
    auto &groups = simt::self().groups;
    while ((int)groups.size() > PENDING) {
        for (auto &copy : groups.front()) do_copy(copy);
        groups.erase(groups.begin());
    }
}

struct MatrixLoad {
    uint32_t *to;
    const void *row;
};

// Eight rows that are read at once must lie in different banks: 32 banks of 4 bytes, 16 bytes a row.
inline void must_not_conflict(const std::vector<void *> &all) {
    for (int matrix = 0; matrix < 4; matrix++) {
        unsigned seen = 0;
        for (int row = 0; row < 8; row++) {
            auto *at = (const unsigned char *)((MatrixLoad *)all[matrix * 8 + row])->row;
            seen |= 1u << ((at - simt::machine.shared) / 16 % 8);
        }
        if (seen != 0xff) simt::fail("ldmatrix with a bank conflict");
    }
}

inline void load_matrices_as(uint32_t (&to)[4], const void *row, bool transposed) {
    must_be_shared(row, 16, "ldmatrix");
    MatrixLoad mine = {to, row};
    simt::meet_warp(&mine, [transposed](std::vector<void *> &all) {
        must_not_conflict(all);
        for (int matrix = 0; matrix < 4; matrix++)
            for (int lane = 0; lane < 32; lane++) {
                uint16_t two[2];
                for (int i = 0; i < 2; i++) {
                    int r = lane / 4, c = lane % 4 * 2 + i;
                    if (transposed) std::swap(r, c);
                    two[i] = ((const uint16_t *)((MatrixLoad *)all[matrix * 8 + r])->row)[c];
                }
                ((MatrixLoad *)all[lane])->to[matrix] = two[0] | uint32_t(two[1]) << 16;
            }
    });
}

inline void load_matrices(uint32_t (&to)[4], const void *row) { load_matrices_as(to, row, false); }
inline void load_transposed(uint32_t (&to)[4], const void *row) { load_matrices_as(to, row, true); }

struct Product {
    float *d;
    const uint32_t *a;
    uint32_t b[2];
};

template <typename Element>
void multiply(Element, float (&d)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1) {
    Product mine = {d, a, {b0, b1}};
    simt::meet_warp(&mine, [](std::vector<void *> &all) {
        float a[16][16], b[16][8];
        auto part = [](uint32_t two, int i) { return Element::wide(uint16_t(two >> 16 * i)); };
        for (int lane = 0; lane < 32; lane++) {
            auto *one = (Product *)all[lane];
            int group = lane / 4, quad = lane % 4;
            for (int i = 0; i < 2; i++) {
                for (int r = 0; r < 4; r++)
                    a[group + 8 * (r % 2)][2 * quad + 8 * (r / 2) + i] = part(one->a[r], i);
                for (int r = 0; r < 2; r++) b[2 * quad + 8 * r + i][group] = part(one->b[r], i);
            }
        }
        for (int lane = 0; lane < 32; lane++)
            for (int i = 0; i < 4; i++) {
                int row = lane / 4 + 8 * (i / 2), column = lane % 4 * 2 + i % 2;
                float sum = 0;
                for (int k = 0; k < 16; k++) sum += a[row][k] * b[k][column];
                ((Product *)all[lane])->d[i] += sum;
            }
    });
}

inline float power_of_two(float x) { return exp2f(x); }

template <typename T>
struct Shuffle {
    T value, got;
    int lane;
};

template <typename T>
T from_lane(T value, int lane) {
    Shuffle<T> mine = {value, value, lane};
    simt::meet_warp(&mine, [](std::vector<void *> &all) {
        for (void *one : all) {
            auto *shuffle = (Shuffle<T> *)one;
            shuffle->got = ((Shuffle<T> *)all[shuffle->lane % 32])->value;
        }
    });
    return mine.got;
}

inline float from_neighbour(float value, int mask) { return from_lane(value, simt::lane() ^ mask); }

inline void wait_for_warp() { simt::meet_warp(nullptr, [](std::vector<void *> &) {}); }
inline void wait_for_block() {
    simt::barrier(simt::machine.everybody, simt::machine.threads.x, simt::self().number);
}
