// From a launcher to a kernel: shared memory asked for, errors handed back as CUDA's own codes.
#pragma once

#include "attention.cuh"

#define LAUNCHER extern "C" __attribute__((visibility("default"))) int

// CUDA's words for what a launcher returned; one for the whole library.
extern "C" __attribute__((visibility("default"), weak)) const char *cuda_error_text(int code) {
    return cudaGetErrorString(cudaError_t(code));
}

// Queue `kernel` with `bytes` of dynamic shared memory a block; 0 or a cudaError_t.
template <typename... Parameters, typename... Arguments>
int launch(void (*kernel)(Parameters...), dim3 grid, int threads, int bytes, void *stream,
           Arguments... arguments) {
    if (grid.x == 0 || grid.y == 0 || grid.z == 0) return cudaSuccess;
    cudaError_t error = cudaFuncSetAttribute(
        (const void *)kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, bytes);
    if (error != cudaSuccess) {
        cudaGetLastError();  // an error that was reported must not show in a neighbour's call
        return error;
    }
    cudaLaunchConfig_t config = {};
    config.gridDim = grid;
    config.blockDim = dim3(threads);
    config.dynamicSmemBytes = bytes;
    config.stream = (cudaStream_t)stream;
    error = cudaLaunchKernelEx(&config, kernel, arguments...);
    if (error != cudaSuccess) cudaGetLastError();
    return error;
}
