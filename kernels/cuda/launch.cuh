// From a launcher to a kernel: shared memory asked for, errors handed back as CUDA's own codes.
#pragma once

#include "attention.cuh"

#define LAUNCHER extern "C" __attribute__((visibility("default"))) int

// CUDA's words for what a launcher returned; one for the whole library.
extern "C" __attribute__((visibility("default"), weak)) const char *cuda_error_text(int code) {
    return cudaGetErrorString(cudaError_t(code));
}

// An error that was reported must not show in a neighbour's call.
inline int reported(cudaError_t error) {
    if (error != cudaSuccess) cudaGetLastError();
    return error;
}

// Have `kernel` take `bytes` of dynamic shared memory a block.
template <typename... Parameters>
cudaError_t allow_shared(void (*kernel)(Parameters...), int bytes) {
    return cudaFuncSetAttribute((const void *)kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, bytes);
}

// Queue `kernel`; 0 or a cudaError_t.
template <typename... Parameters, typename... Arguments>
int launch(void (*kernel)(Parameters...), dim3 grid, int threads, int bytes, void *stream,
           Arguments... arguments) {
    cudaError_t error = allow_shared(kernel, bytes);
    if (error != cudaSuccess) return reported(error);
    cudaLaunchConfig_t config = {};
    config.gridDim = grid;
    config.blockDim = dim3(threads);
    config.dynamicSmemBytes = bytes;
    config.stream = (cudaStream_t)stream;
    return reported(cudaLaunchKernelEx(&config, kernel, arguments...));
}

// How many blocks of `kernel` the current GPU holds at a time; 0 or a cudaError_t.
template <typename... Parameters>
int places_of(void (*kernel)(Parameters...), int threads, int bytes, int *places) {
    int device, processors, blocks;
    cudaError_t error = cudaGetDevice(&device);
    if (error == cudaSuccess)
        error = cudaDeviceGetAttribute(&processors, cudaDevAttrMultiProcessorCount, device);
    if (error == cudaSuccess) error = allow_shared(kernel, bytes);
    if (error == cudaSuccess)
        error = cudaOccupancyMaxActiveBlocksPerMultiprocessor(&blocks, kernel, threads, bytes);
    if (error == cudaSuccess) *places = processors * greater(blocks, 1);
    return reported(error);
}
