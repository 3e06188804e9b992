/* A stand-in for bcryptprimitives.dll, which Wine before 9.0 lacks. Rust's HashMap takes its seed
   from there, so that without it no test program starts. Used for tests under Wine only. */

#include <windows.h>

/* advapi32 calls it RtlGenRandom, but exports it by number only under this name */
BOOLEAN WINAPI SystemFunction036(PVOID buffer, ULONG size);

__declspec(dllexport) BOOL WINAPI ProcessPrng(PBYTE buffer, SIZE_T size)
{
    while (size > 0) {
        ULONG part = size > 0x10000000 ? 0x10000000 : (ULONG)size;

        if (!SystemFunction036(buffer, part)) {
            return FALSE;
        }
        buffer += part;
        size -= part;
    }
    return TRUE;
}
