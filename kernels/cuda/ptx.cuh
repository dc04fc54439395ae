// The instructions of sm_80 that the tiled kernels are built of, one function each (PTX ISA).
#pragma once

#include "element.cuh"

#ifndef HOST_MODEL

// The block's shared memory, whose size the launcher chooses.
__device__ __forceinline__ unsigned char *shared_memory() {
    extern __shared__ __align__(1024) unsigned char dynamic[];
    return dynamic;
}

__device__ __forceinline__ uint32_t shared_address(const void *at) {
    return uint32_t(__cvta_generic_to_shared(at));
}

// Begin to copy 16 bytes from global to shared memory, past the first-level cache; zeros if not `there`.
__device__ __forceinline__ void copy_async(void *to, const void *from, bool there) {
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(shared_address(to)), "l"(from),
                 "r"(there ? 16 : 0)
                 : "memory");
}

// What this thread has begun to copy since the last commit is one group.
__device__ __forceinline__ void copy_commit() { asm volatile("cp.async.commit_group;" ::: "memory"); }

// Wait until at most `PENDING` of this thread's groups are under way, the newest.
template <int PENDING>
__device__ __forceinline__ void copy_wait() {
    asm volatile("cp.async.wait_group %0;" ::"n"(PENDING) : "memory");
}

// Four 8 x 8 matrices of 16-bit elements; lane l gives the address of row l % 8 of matrix l / 8, and
// gets elements 2 (l % 4) and the next of row l / 4 of each.
__device__ __forceinline__ void load_matrices(uint32_t (&to)[4], const void *row) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(to[0]), "=r"(to[1]), "=r"(to[2]), "=r"(to[3])
                 : "r"(shared_address(row))
                 : "memory");
}

// The same of each matrix transposed.
__device__ __forceinline__ void load_transposed(uint32_t (&to)[4], const void *row) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(to[0]), "=r"(to[1]), "=r"(to[2]), "=r"(to[3])
                 : "r"(shared_address(row))
                 : "memory");
}

// d += a b: a is 16 x 16, b 16 x 8, d 16 x 8 in fp32 (fragments.cuh says who holds what).
__device__ __forceinline__ void multiply(Fp16, float (&d)[4], const uint32_t (&a)[4], uint32_t b0,
                                         uint32_t b1) {
    asm("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 "
        "{%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
        : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}

__device__ __forceinline__ void multiply(Bf16, float (&d)[4], const uint32_t (&a)[4], uint32_t b0,
                                         uint32_t b1) {
    asm("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 "
        "{%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
        : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}

// 2 to the power of x, to two units in the last place.
__device__ __forceinline__ float power_of_two(float x) {
    float y;
    asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
    return y;
}

template <typename T>
__device__ __forceinline__ T from_lane(T value, int lane) {
    return __shfl_sync(0xffffffff, value, lane);
}

__device__ __forceinline__ float from_neighbour(float value, int mask) {
    return __shfl_xor_sync(0xffffffff, value, mask);
}

__device__ __forceinline__ void wait_for_block() { __syncthreads(); }
__device__ __forceinline__ void wait_for_warp() { __syncwarp(); }

#endif

// Over the four lanes that share a row of an accumulator.
__device__ __forceinline__ float largest_of_quad(float x) {
    x = fmaxf(x, from_neighbour(x, 1));
    return fmaxf(x, from_neighbour(x, 2));
}

__device__ __forceinline__ float sum_of_quad(float x) {
    x += from_neighbour(x, 1);
    return x + from_neighbour(x, 2);
}
