// fp16 and bf16 as the 16 bits they are in memory, and as fp32.
#pragma once

#include "attention.cuh"

#ifndef HOST_MODEL
// Not <cuda_fp16.h>, which takes nvcc longer to read than all of a kernel.
struct Fp16 {
    static __device__ __forceinline__ float wide(uint16_t bits) {
        float x;
        asm("cvt.f32.f16 %0, %1;" : "=f"(x) : "h"(bits));
        return x;
    }
    // Two numbers in one register, `low` in the lower half, rounded to nearest.
    static __device__ __forceinline__ uint32_t pack(float low, float high) {
        uint32_t two;
        asm("cvt.rn.f16x2.f32 %0, %1, %2;" : "=r"(two) : "f"(high), "f"(low));
        return two;
    }
};

struct Bf16 {
    static __device__ __forceinline__ float wide(uint16_t bits) {
        return __uint_as_float(uint32_t(bits) << 16);
    }
    static __device__ __forceinline__ uint32_t pack(float low, float high) {
        uint32_t two;
        asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(two) : "f"(high), "f"(low));
        return two;
    }
};
#endif

// The two numbers that one 32-bit register holds.
template <typename Element>
__device__ __forceinline__ float low_of(uint32_t two) { return Element::wide(uint16_t(two)); }
template <typename Element>
__device__ __forceinline__ float high_of(uint32_t two) { return Element::wide(uint16_t(two >> 16)); }
