// A GPU's block on a CPU: every thread is a fiber, and what threads do together waits for all of them.
//
// The kernels' own sources are compiled against this instead of CUDA (HOST_MODEL), so that their
// indices, masks, barriers and pipelines run without a GPU. What an instruction does is written here
// after the PTX ISA; what it costs isn't modelled. Warps take turns in an order drawn from a seed, and
// shared memory begins as NaN: what is read too early or overwritten too soon gives wrong numbers.
// A block in which nobody can go on ends with a message, as does a kernel that asks for too much.
// Not modelled: threads of one warp out of step, memory that others see late (fences do nothing here),
// and what happens to registers that are touched while a wgmma reads them.
#pragma once

#include <math.h>
#include <setjmp.h>
#include <stdint.h>
#include <string.h>
#include <ucontext.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <random>
#include <string>
#include <vector>

#define __global__
#define __device__
#define __host__
#define __forceinline__ inline
#define __launch_bounds__(...)
#define __grid_constant__
#define __align__(n) alignas(n)

struct dim3 {
    unsigned x, y, z;
    dim3(unsigned x = 1, unsigned y = 1, unsigned z = 1) : x(x), y(y), z(z) {}
};
struct uint4 {
    uint32_t x, y, z, w;
};
struct uint2 {
    uint32_t x, y;
};

namespace simt {

constexpr int WARP = 32;
constexpr size_t STACK_BYTES = 64 << 10;
constexpr int BURST = 200;  // how many things that a warp does together it may be ahead in a turn
constexpr int PAUSE = 24;   // rounds that a thread may sleep at most where it could be overtaken
constexpr int SHARED_BYTES = 227 << 10;  // what a block may have on sm_90

struct Copy {  // a cp.async that hasn't been waited for
    void *to;
    const void *from;
    int bytes, valid;
};

struct Product64 {  // one thread's part of a wgmma, 64 rows high
    float *d;
    const uint32_t *a;  // or null: in shared memory
    uint64_t a_at, b_at;
    bool add;
    int columns;
    float (*wide)(uint16_t);
};

struct Thread {
    dim3 index;
    int number;
    bool done = false;
    bool started = false;
    ucontext_t context;  // where it begins
    jmp_buf at;          // where it goes on: unlike swapcontext, longjmp asks the system for nothing
    std::unique_ptr<char[]> stack;
    std::vector<Copy> open;                 // not yet in a group
    std::vector<std::vector<Copy>> groups;  // committed, oldest first
    std::vector<Product64> open_products;
    std::vector<std::vector<Product64>> products;
};

struct Barrier {  // an mbarrier's 64 bits; named barriers are kept so too
    uint8_t phase, arrivals;
    int16_t pending;
    int32_t bytes;
};

// A meeting of a number of threads: the last one to come does the work for all.
struct Meeting {
    std::vector<void *> brought;
    int64_t round = 0;
};

struct Options {
    unsigned seed = 0;
    bool eager = false;  // asynchronous work is done at once, else as late as it may be
};

struct Machine {
    Options options;
    std::mt19937 random;
    dim3 grid, block, threads;
    std::vector<std::unique_ptr<Thread>> all;
    std::vector<Meeting> warps, warpgroups;
    Meeting everybody;
    Barrier counted[16];  // named barriers
    std::vector<unsigned char> memory;  // the block's shared memory
    unsigned char *shared = nullptr;
    int shared_bytes = 0;
    std::vector<std::function<void()>> in_flight;  // asynchronous work of no thread: bulk copies
    Thread *self = nullptr;
    jmp_buf scheduler;
    bool moved = false;
    int64_t round = 0;
    int paused = 0;
    std::string failure;
    std::function<void()> body;
};

inline Machine machine;
inline Thread &self() { return *machine.self; }
inline int lane() { return self().number % WARP; }

struct Stopped {};  // thrown through a fiber to end it

inline void fail(const std::string &what) {
    if (machine.failure.empty())
        machine.failure = what + " (thread " + std::to_string(self().number) + ")";
    throw Stopped();
}

inline void yield() {
    if (!_setjmp(self().at)) _longjmp(machine.scheduler, 1);
    if (!machine.failure.empty()) throw Stopped();
}

// Let others go first for a while, as a GPU might.
inline void pause() {
    int64_t until = machine.round + machine.random() % PAUSE;
    machine.paused++;
    while (machine.round < until) yield();
    machine.paused--;
    machine.moved = true;
}

template <typename Ready>
void wait_until(Ready ready) {
    while (!ready()) yield();
    machine.moved = true;
}

// Meet `count` threads at `place`; the last calls work(what everybody brought, by rank).
template <typename Work>
void meet(Meeting &place, int count, int rank, void *mine, Work work) {
    if ((int)place.brought.size() != count) place.brought.assign(count, nullptr);
    if (place.brought[rank]) fail("two threads of one rank meet: a collective is not in step");
    static char nothing;
    place.brought[rank] = mine ? mine : &nothing;
    int64_t round = place.round;
    for (void *one : place.brought)
        if (!one) {
            machine.moved = true;
            wait_until([&] { return place.round != round; });
            return;
        }
    work(place.brought);
    place.brought.assign(count, nullptr);
    place.round++;
    machine.moved = true;
}

template <typename Work>
void meet_warp(void *mine, Work work) {
    meet(machine.warps[self().number / WARP], WARP, lane(), mine, work);
}

inline void barrier(Meeting &place, int count, int rank) {
    meet(place, count, rank, nullptr, [](std::vector<void *> &) {});
}

inline void enter(unsigned low, unsigned high) {
    Thread *thread = (Thread *)(((uint64_t)high << 32) | low);
    try {
        machine.body();
    } catch (Stopped &) {
    }
    thread->done = true;
    machine.moved = true;
    _longjmp(machine.scheduler, 1);
}

inline void start(Thread &thread) {
    thread.stack.reset(new char[STACK_BYTES]);
    getcontext(&thread.context);
    thread.context.uc_stack.ss_sp = thread.stack.get();
    thread.context.uc_stack.ss_size = STACK_BYTES;
    thread.context.uc_link = nullptr;
    uint64_t at = (uint64_t)&thread;
    makecontext(&thread.context, (void (*)())enter, 2, (unsigned)at, (unsigned)(at >> 32));
}

// Let a thread run until it waits or ends.
inline void go_on(Thread &thread) {
    machine.self = &thread;
    if (_setjmp(machine.scheduler)) return;
    if (thread.started) _longjmp(thread.at, 1);
    thread.started = true;
    setcontext(&thread.context);
}

// One of the bulk copies under way arrives, if there is any.
inline bool deliver() {
    if (machine.in_flight.empty()) return false;
    size_t which = machine.random() % machine.in_flight.size();
    auto work = machine.in_flight[which];
    machine.in_flight.erase(machine.in_flight.begin() + which);
    work();
    return true;
}

// Up to `turns` times, every thread of a warp until it waits; whether any is left.
inline bool run_warp(int warp, int turns) {
    int first = warp * WARP, past = std::min((int)machine.threads.x, first + WARP);
    auto left = [&] {
        for (int i = first; i < past; i++)
            if (!machine.all[i]->done) return true;
        return false;
    };
    bool moved = machine.moved;
    for (; turns > 0 && left(); turns--) {
        machine.moved = false;
        for (int i = first; i < past; i++)
            if (!machine.all[i]->done) go_on(*machine.all[i]);
        if (!machine.moved) break;  // it waits for others
        moved = true;
    }
    machine.moved = moved;
    return left();
}

inline void run_block() {
    int count = machine.threads.x, warps = (count + WARP - 1) / WARP;
    machine.all.clear();
    machine.warps.assign(warps, {});
    machine.warpgroups.assign((warps + 3) / 4, {});
    machine.everybody = {};
    machine.paused = 0;
    std::fill(std::begin(machine.counted), std::end(machine.counted), Barrier{});
    machine.in_flight.clear();
    memset(machine.shared, 0xff, machine.shared_bytes);  // NaN in every type
    for (int i = 0; i < count; i++) {
        machine.all.emplace_back(new Thread);
        machine.all[i]->number = i;
        machine.all[i]->index = dim3(i, 0, 0);
        start(*machine.all[i]);
    }
    std::vector<int> order(warps);
    for (int i = 0; i < warps; i++) order[i] = i;
    for (bool fair = false, alive = true; alive;) {
        alive = machine.moved = false;
        std::shuffle(order.begin(), order.end(), machine.random);
        for (int warp : order) {
            // some warps run far ahead of others, unless nobody could go on the last time
            int turns = fair ? 1 : machine.random() % 3 ? 0 : 1 + machine.random() % BURST;
            alive |= run_warp(warp, turns);
        }
        bool arrived = (!machine.moved || machine.random() % 4 == 0) && deliver();
        bool stuck = alive && !machine.moved && !arrived && !machine.paused;
        machine.round++;
        if (stuck && fair && machine.failure.empty())
            machine.failure = "nobody in the block can go on: a barrier that not all reach";
        fair = stuck || !machine.failure.empty();
    }
    for (Barrier &barrier : machine.counted)
        if (barrier.pending != barrier.arrivals * WARP && machine.failure.empty())
            machine.failure = "a named barrier is left half full";
}

template <typename Body>
int run_grid(dim3 grid, int threads, int shared_bytes, Body body) {
    if (shared_bytes > SHARED_BYTES) return 1;
    machine.failure.clear();
    machine.grid = grid;
    machine.threads = dim3(threads);
    machine.memory.resize(shared_bytes + 1024);
    machine.shared = machine.memory.data();
    machine.shared += (1024 - (uintptr_t)machine.shared % 1024) % 1024;
    machine.shared_bytes = shared_bytes;
    machine.random.seed(machine.options.seed);
    machine.body = body;
    for (unsigned z = 0; z < grid.z; z++)
        for (unsigned y = 0; y < grid.y; y++)
            for (unsigned x = 0; x < grid.x; x++) {
                machine.block = dim3(x, y, z);
                run_block();
                if (!machine.failure.empty()) {
                    machine.failure += " in block " + std::to_string(x) + "," + std::to_string(y) +
                                       "," + std::to_string(z);
                    return 2;
                }
            }
    return 0;
}

}  // namespace simt
