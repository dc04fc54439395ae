"""The worker's side: one job in, one Record out. Imports with torch, numpy and yaml alone.

From the inside out::

    clock      what reads time                 device     what a CPU or a CUDA GPU needs around it
    modes      one sample of a mode            stop       when enough samples are in
    sampling   warm-up and the loop            memory     the pass that measures peak memory
    loader     kernel files, by path           binding    forward, backward or both as one call
    tamper     what a kernel must not change   job        one job, start to end, in this process
    server     forks clean children            child      what runs in them
    supervisor owns a device, survives all     __main__   the same without Ray, for a bare machine
"""
