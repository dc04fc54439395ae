// What kernels/cuda/hopper.cuh is on a GPU, after the PTX ISA on mbarrier, TMA with the 128-byte swizzle,
// wgmma and its matrix descriptors. A box arrives some time after it
// was asked for; a product reads its operands, registers too, when it is waited for: as late as it may.
#pragma once

#include "ptx.h"

namespace simt {

inline void settle(Barrier &barrier) {
    if (barrier.pending || barrier.bytes) return;
    barrier.phase ^= 1;
    barrier.pending = barrier.arrivals;
    machine.moved = true;
}

}  // namespace simt

inline simt::Barrier &barrier_at(uint64_t *at) { return *reinterpret_cast<simt::Barrier *>(at); }

inline void barrier_begin(uint64_t *at, int arrivals) {
    barrier_at(at) = {0, uint8_t(arrivals), int16_t(arrivals), 0};
}
inline void barriers_begun() {}

inline void arrive_expecting(uint64_t *at, int bytes) {
    auto &barrier = barrier_at(at);
    barrier.bytes += bytes;
    if (--barrier.pending < 0) simt::fail("more arrive at an mbarrier than it counts");
    simt::settle(barrier);
}
inline void arrive(uint64_t *at) {
    arrive_expecting(at, 0);
    simt::pause();
}
inline void wait(uint64_t *at, int parity) {
    simt::wait_until([&] { return barrier_at(at).phase != parity; });
}

struct TensorMap {
    const uint16_t *base;
    int64_t heads;
    int rows, dim, box_rows;
};

inline int tensor_map(TensorMap *map, const uint16_t *base, int64_t heads, int rows, int dim, int box_rows,
                      bool) {
    *map = {base, heads, rows, dim, box_rows};
    return (uintptr_t)base % 16 || box_rows > 256 ? 1 : 0;
}

inline uint32_t shared_address(const void *at) {
    return uint32_t((const unsigned char *)at - simt::machine.shared);
}
// The 128-byte swizzle: bits 4-6 of the address are exclusive-ored with bits 7-9.
inline uint32_t swizzled(uint32_t address) { return address ^ (address >> 3 & 0x70); }
inline uint16_t &shared_element(uint32_t address) {
    return *reinterpret_cast<uint16_t *>(simt::machine.shared + swizzled(address));
}

inline void copy_box(void *to, const TensorMap *given, int x, int y, int z, uint64_t *barrier) {
    constexpr int WIDTH = 64;
    TensorMap map = *given;
    uint32_t at = shared_address(to);
    if (at % 128) simt::fail("a box that isn't aligned to 128 bytes");
    must_be_shared(to, map.box_rows * WIDTH * 2, "a box");
    auto work = [=] {
        for (int row = 0; row < map.box_rows; row++)
            for (int column = 0; column < WIDTH; column++) {
                bool there = x + column < map.dim && y + row < map.rows && z < map.heads;
                int64_t from = (int64_t(z) * map.rows + y + row) * map.dim + x + column;
                shared_element(at + (row * WIDTH + column) * 2) = there ? map.base[from] : 0;
            }
        auto &counted = barrier_at(barrier);
        counted.bytes -= map.box_rows * WIDTH * 2;
        simt::settle(counted);
    };
    if (simt::machine.options.eager) return work();
    simt::machine.in_flight.push_back(work);
}

namespace simt {

struct Descriptor {
    uint32_t address, leading, stride;
    explicit Descriptor(uint64_t bits) {
        address = (bits & 0x3fff) << 4;
        leading = (bits >> 16 & 0x3fff) << 4;
        stride = (bits >> 32 & 0x3fff) << 4;
        if (bits >> 62 != 1) fail("a matrix descriptor without the 128-byte swizzle");
    }
    // Element `along` of line `line`, where the summed index lies along the lines: 16 of it.
    uint16_t by_lines(int line, int along) const {
        return shared_element(address + line / 8 * stride + line % 8 * 128 + along * 2);
    }
    // The same where the summed index goes down the lines, which are 64 elements wide at a time.
    uint16_t by_columns(int column, int along) const {
        return shared_element(address + column / 64 * leading + along / 8 * stride + along % 8 * 128 +
                              column % 64 * 2);
    }
};

inline void do_product(const std::vector<Product64 *> &all) {
    int columns = all[0]->columns;
    std::vector<float> a(64 * 16), b(16 * columns);
    auto wide = all[0]->wide;
    bool held = all[0]->a;
    for (int row = 0; row < 64 && !held; row++)
        for (int k = 0; k < 16; k++) a[row * 16 + k] = wide(Descriptor(all[0]->a_at).by_lines(row, k));
    for (int thread = 0; thread < 128 && held; thread++)
        for (int r = 0; r < 4; r++)
            for (int i = 0; i < 2; i++) {
                int row = thread / 32 * 16 + thread % 32 / 4 + 8 * (r % 2);
                int k = thread % 4 * 2 + 8 * (r / 2) + i;
                a[row * 16 + k] = wide(uint16_t(all[thread]->a[r] >> 16 * i));
            }
    Descriptor second(all[0]->b_at);
    for (int n = 0; n < columns; n++)
        for (int k = 0; k < 16; k++)
            b[k * columns + n] = wide(held ? second.by_columns(n, k) : second.by_lines(n, k));
    for (int thread = 0; thread < 128; thread++)
        for (int i = 0; i < columns / 2; i++) {
            int row = thread / 32 * 16 + thread % 32 / 4 + 8 * (i / 2 % 2);
            int column = i / 4 * 8 + thread % 4 * 2 + i % 2;
            float sum = all[thread]->add ? all[thread]->d[i] : 0;
            for (int k = 0; k < 16; k++) sum += a[row * 16 + k] * b[k * columns + column];
            all[thread]->d[i] = sum;
        }
}

// The whole warpgroup does its oldest groups of products, until `pending` are left.
inline void do_groups(int pending) {
    int group = self().number / 128;
    meet(machine.warpgroups[group], 128, self().number % 128, nullptr, [=](std::vector<void *> &) {
        std::vector<Thread *> threads;
        for (int i = 0; i < 128; i++) threads.push_back(machine.all[group * 128 + i].get());
        while ((int)threads[0]->products.size() > pending) {
            for (size_t i = 0; i < threads[0]->products[0].size(); i++) {
                std::vector<Product64 *> all;
                for (Thread *thread : threads) all.push_back(&thread->products[0][i]);
                do_product(all);
            }
            for (Thread *thread : threads) thread->products.erase(thread->products.begin());
        }
    });
}

}  // namespace simt

inline void products_fence() {}
inline void products_commit() {
    auto &mine = simt::self();
    mine.products.push_back(std::move(mine.open_products));
    mine.open_products.clear();
    if (simt::machine.options.eager) simt::do_groups(0);
}
template <int PENDING, size_t N>
void products_wait(float (&)[N]) {
    simt::do_groups(PENDING);
}

template <typename Element>
void multiply_shared(Element, float (&d)[64], uint64_t a, uint64_t b, bool add) {
    simt::self().open_products.push_back({d, nullptr, a, b, add, 128, Element::wide});
}
template <typename Element, size_t N>
void multiply_held(Element, float (&d)[N], const uint32_t (&a)[4], uint64_t b) {
    simt::self().open_products.push_back({d, a, 0, b, true, int(N) * 2, Element::wide});
}

template <int COUNT>
void give_registers() {}
template <int COUNT>
void take_registers() {}
inline void trap() { simt::fail("a trap"); }

// Named barriers count threads, whoever they are, and those that pass by don't wait.
inline simt::Barrier &named(int id, int threads) {
    auto &barrier = simt::machine.counted[id];
    if (!barrier.arrivals) barrier = {0, uint8_t(threads / 32), int16_t(threads), 0};
    return barrier;
}
inline void come(simt::Barrier &barrier, int threads) {
    if (--barrier.pending == 0) {
        barrier.phase ^= 1;
        barrier.pending = threads;
        simt::machine.moved = true;
    }
}
inline void pass_by(int id, int threads) { come(named(id, threads), threads); }
inline void meet_at(int id, int threads) {
    auto &barrier = named(id, threads);
    int phase = barrier.phase;
    come(barrier, threads);
    simt::wait_until([&] { return barrier.phase != phase; });
}
