/*
 * CancelIoEx, which is no function of Winsock's: its slots in the program and in the DLLs of this project are
 * changed when the model is loaded.
 */
#include "model.h"

#include <string.h>

/* One TCP receive cancelled: all receives of the socket are, and no send. */
static BOOL WINAPI cancel_io_ex(HANDLE handle, LPOVERLAPPED call)
{
    record *r = known_record((SOCKET)handle);
    BOOL result;
    size_t i, is_receive = 0;

    for (i = 0; r != NULL && call != NULL && i < sizeof r->calls / sizeof r->calls[0]; i++) {
        is_receive |= r->calls[i] == call && r->receives[i];
    }
    result = CancelIoEx(handle, call);
    for (i = 0; is_on(CANCEL) && is_receive && i < sizeof r->calls / sizeof r->calls[0]; i++) {
        if (r->calls[i] != NULL && r->calls[i] != call && r->receives[i] && is_pending(r->calls[i])) {
            result |= CancelIoEx(handle, r->calls[i]);
        }
    }
    return result;
}

static void change_slots(const char *name)
{
    BYTE *base = (BYTE *)GetModuleHandleA(name);
    IMAGE_NT_HEADERS *headers;
    IMAGE_IMPORT_DESCRIPTOR *dll;
    IMAGE_THUNK_DATA *named, *slot;
    DWORD before;

    if (base == NULL) return;
    headers = (IMAGE_NT_HEADERS *)(base + ((IMAGE_DOS_HEADER *)base)->e_lfanew);
    if (headers->OptionalHeader.DataDirectory[IMAGE_DIRECTORY_ENTRY_IMPORT].VirtualAddress == 0) return;
    dll = (IMAGE_IMPORT_DESCRIPTOR *)(base +
                                      headers->OptionalHeader.DataDirectory[IMAGE_DIRECTORY_ENTRY_IMPORT].VirtualAddress);
    for (; dll->Name != 0; dll++) {
        if (dll->OriginalFirstThunk == 0) continue;
        named = (IMAGE_THUNK_DATA *)(base + dll->OriginalFirstThunk);
        slot = (IMAGE_THUNK_DATA *)(base + dll->FirstThunk);
        for (; named->u1.AddressOfData != 0; named++, slot++) {
            if (IMAGE_SNAP_BY_ORDINAL(named->u1.Ordinal)) continue;
            if (strcmp(((IMAGE_IMPORT_BY_NAME *)(base + named->u1.AddressOfData))->Name, "CancelIoEx") != 0) continue;
            VirtualProtect(slot, sizeof *slot, PAGE_READWRITE, &before);
            slot->u1.Function = (ULONG_PTR)cancel_io_ex;
            VirtualProtect(slot, sizeof *slot, before, &before);
        }
    }
}

BOOL WINAPI DllMain(HINSTANCE self, DWORD reason, LPVOID unused)
{
    (void)self;
    (void)unused;
    if (reason == DLL_PROCESS_ATTACH) {
        change_slots(NULL);
        change_slots("graceful_close.dll");
        change_slots("graceful_close_hook.dll");
    }
    return TRUE;
}
