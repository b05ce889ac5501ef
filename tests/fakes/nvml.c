/* NVML for tests: it answers what the file `answers` beside it says, and writes each call to the file `calls`.
 *
 * A line of `answers` is: function, code (an nvmlReturn_t), and up to two numbers. What it does not mention is not
 * supported. It has `cards` cards; number n is at bus id 0000000n:0A:00.0 and has the UUID GPU-n. Built with -DOLD it
 * lacks the functions that older drivers lack.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { UNINITIALIZED = 1, INVALID_ARGUMENT = 2, NOT_SUPPORTED = 3, NOT_FOUND = 6 };

typedef struct { char legacy[16]; unsigned domain, bus, device, id, subsystem; char bus_id[32]; } pci_t;
typedef struct { unsigned version, sensor; int celsius; } temperature_t;
typedef struct { unsigned gpu, memory; } utilization_t;
typedef struct { unsigned long long total, free, used; } memory_t;

static int users = 0;
static char cards[64];

static FILE *beside(const char *name, const char *mode) {
    Dl_info info;
    char path[4096];
    dladdr((void *)beside, &info);
    snprintf(path, sizeof path, "%.*s/%s", (int)(strrchr(info.dli_fname, '/') - info.dli_fname), info.dli_fname, name);
    return fopen(path, mode);
}

/* What `answers` says of it; `missing` where it says nothing. */
static int said(const char *function, int missing, unsigned long long *first, unsigned long long *second) {
    char line[256], name[128];
    unsigned long long a, b;
    int code, found = missing;
    FILE *file = beside("answers", "r");
    while (file && fgets(line, sizeof line, file)) {
        a = b = 0;
        if (sscanf(line, "%127s %d %llu %llu", name, &code, &a, &b) >= 2 && !strcmp(name, function)) {
            found = code;
            if (first) *first = a;
            if (second) *second = b;
        }
    }
    if (file) fclose(file);
    return found;
}

static int called(const char *function, int missing, unsigned long long *first, unsigned long long *second) {
    FILE *calls = beside("calls", "a");
    fprintf(calls, "%s\n", function);
    fclose(calls);
    return users ? said(function, missing, first, second) : UNINITIALIZED;
}

int nvmlInitWithFlags(unsigned flags) {
    users++;
    int code = called("nvmlInitWithFlags", 0, NULL, NULL);
    if (code) users--;
    return code;
}

int nvmlShutdown(void) {
    int code = called("nvmlShutdown", 0, NULL, NULL);
    if (users) users--;
    return code;
}

const char *nvmlErrorString(int code) { return "an error of the fake's"; }

static int handle(const char *function, unsigned index, int absent, char **card) {
    unsigned long long count = 0;
    int code = called(function, 0, NULL, NULL);
    said("cards", 0, &count, NULL);
    if (code) return code;
    if (index >= count) return absent;
    *card = &cards[index];
    return 0;
}

int nvmlDeviceGetHandleByIndex_v2(unsigned index, char **card) {
    return handle("nvmlDeviceGetHandleByIndex_v2", index, INVALID_ARGUMENT, card);
}

int nvmlDeviceGetHandleByUUID(const char *uuid, char **card) {
    unsigned index = ~0u;
    sscanf(uuid, "GPU-%u", &index);
    return handle("nvmlDeviceGetHandleByUUID", index, NOT_FOUND, card);
}

int nvmlDeviceGetHandleByPciBusId_v2(const char *bus_id, char **card) {
    unsigned domain = ~0u, bus, slot;
    sscanf(bus_id, "%x:%x:%x.0", &domain, &bus, &slot);
    return handle("nvmlDeviceGetHandleByPciBusId_v2", domain, NOT_FOUND, card);
}

#define NUMBER(function, type)                                              \
    int function(char *card, type *value) {                                 \
        unsigned long long number = 0;                                      \
        int code = called(#function, NOT_SUPPORTED, &number, NULL);         \
        *value = (type)number;                                              \
        return code;                                                        \
    }

int nvmlDeviceGetPciInfo_v3(char *card, pci_t *info) {
    int code = called("nvmlDeviceGetPciInfo_v3", 0, NULL, NULL);
    snprintf(info->bus_id, sizeof info->bus_id, "%08X:0A:00.0", (unsigned)(card - cards));
    return code;
}

int nvmlDeviceGetTemperature(char *card, unsigned sensor, unsigned *celsius) {
    unsigned long long number = 0;
    int code = called("nvmlDeviceGetTemperature", NOT_SUPPORTED, &number, NULL);
    *celsius = number;
    return code;
}

int nvmlDeviceGetTemperatureThreshold(char *card, unsigned which, unsigned *celsius) {
    unsigned long long shutdown = 0, slowdown = 0;
    int code = called("nvmlDeviceGetTemperatureThreshold", NOT_SUPPORTED, &shutdown, &slowdown);
    *celsius = which == 0 ? shutdown : which == 1 ? slowdown : 0;
    return code;
}

int nvmlDeviceGetClockInfo(char *card, unsigned type, unsigned *megahertz) {
    unsigned long long number = 0;
    int code = called("nvmlDeviceGetClockInfo", NOT_SUPPORTED, &number, NULL);
    *megahertz = type == 0 ? number : 1;
    return code;
}

int nvmlDeviceGetUtilizationRates(char *card, utilization_t *rates) {
    unsigned long long gpu = 0, memory = 0;
    int code = called("nvmlDeviceGetUtilizationRates", NOT_SUPPORTED, &gpu, &memory);
    rates->gpu = gpu;
    rates->memory = memory;
    return code;
}

int nvmlDeviceGetMemoryInfo(char *card, memory_t *memory) {
    int code = called("nvmlDeviceGetMemoryInfo", NOT_SUPPORTED, &memory->used, &memory->total);
    memory->free = memory->total - memory->used;
    return code;
}

NUMBER(nvmlDeviceGetPowerUsage, unsigned)
NUMBER(nvmlDeviceGetTotalEnergyConsumption, unsigned long long)
NUMBER(nvmlDeviceGetFanSpeed, unsigned)
NUMBER(nvmlDeviceGetCurrentClocksThrottleReasons, unsigned long long)

#ifndef OLD
NUMBER(nvmlDeviceGetCurrentClocksEventReasons, unsigned long long)

int nvmlDeviceGetTemperatureV(char *card, temperature_t *temperature) {
    unsigned long long number = 0;
    int code = called("nvmlDeviceGetTemperatureV", NOT_SUPPORTED, &number, NULL);
    temperature->celsius = number;
    return temperature->version == 0x100000C ? code : INVALID_ARGUMENT;
}
#endif
