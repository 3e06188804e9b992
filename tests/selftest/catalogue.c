/* What stands between programs and the network: layered providers in Winsock's catalogue, and drivers that filter. */
#include "selftest.h"

#include <ws2spi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void tell_provider(WSAPROTOCOL_INFOW *entry, teller tell)
{
    WCHAR path[MAX_PATH], whole[MAX_PATH];
    char line[3 * MAX_PATH + 200], where[3 * MAX_PATH], name[3 * WSAPROTOCOL_LEN];
    int size = MAX_PATH, error = 0;

    where[0] = '\0';
    if (WSCGetProviderPath(&entry->ProviderId, path, &size, &error) == 0 &&
        ExpandEnvironmentStringsW(path, whole, MAX_PATH) != 0)
        WideCharToMultiByte(CP_UTF8, 0, whole, -1, where, sizeof where, NULL, NULL);
    WideCharToMultiByte(CP_UTF8, 0, entry->szProtocol, -1, name, sizeof name, NULL, NULL);
    sprintf(line, "  %s %s (family %d, type %d): %s",
            entry->ProtocolChain.ChainLen == LAYERED_PROTOCOL ? "LAYERED"
            : entry->ProtocolChain.ChainLen > 1               ? "chain of layers"
                                                              : "base",
            name, entry->iAddressFamily, entry->iSocketType, where);
    tell(line);
}

void tell_catalogue(teller tell)
{
    DWORD size = 0;
    int error = 0, count, i, layered = 0;
    WSAPROTOCOL_INFOW *entries;
    char line[100];

    WSCEnumProtocols(NULL, NULL, &size, &error);
    entries = (WSAPROTOCOL_INFOW *)calloc(1, size + 1);
    count = entries == NULL ? -1 : WSCEnumProtocols(NULL, entries, &size, &error);
    if (count < 0) {
        sprintf(line, "Winsock's catalogue cannot be read: error %d", error);
        tell(line);
    }
    for (i = 0; i < count; i++) layered += entries[i].ProtocolChain.ChainLen != BASE_PROTOCOL;
    if (count >= 0) {
        sprintf(line, "Winsock's catalogue: %d entries, %d of layered providers", count, layered);
        tell(line);
    }
    /* the base providers of TCP and UDP tell nothing, what stands in front of them does */
    for (i = 0; i < count; i++)
        if (entries[i].ProtocolChain.ChainLen != BASE_PROTOCOL) tell_provider(&entries[i], tell);
    for (i = 0; i < count; i++)
        if (entries[i].ProtocolChain.ChainLen == BASE_PROTOCOL && entries[i].iSocketType == SOCK_STREAM)
            tell_provider(&entries[i], tell);
    free(entries);
}

/* Filters of the Windows Filtering Platform are in drivers that import fwpkclnt.sys. */
static int filters(const char *path)
{
    static const char wanted[] = "fwpkclnt.sys";
    FILE *file = fopen(path, "rb");
    char *content;
    long size, i;
    int found = 0;

    if (file == NULL) return 0;
    fseek(file, 0, SEEK_END);
    size = ftell(file);
    rewind(file);
    content = size > 0 && size < 64000000L ? (char *)malloc((size_t)size) : NULL;
    size = content == NULL ? 0 : (long)fread(content, 1, (size_t)size, file);
    for (i = 0; !found && i + (long)sizeof wanted <= size; i++)
        found = (content[i] | 0x20) == 'f' && _strnicmp(content + i, wanted, sizeof wanted - 1) == 0;
    free(content);
    fclose(file);
    return found;
}

/* the file of a driver by the words that the service has for it, for a program of 32 bits, too */
static void driver_file(const char *image, char *path, size_t size)
{
    const char *name = strrchr(image, '\\');
    char windows[MAX_PATH];
    BOOL on_64 = FALSE;

    GetWindowsDirectoryA(windows, sizeof windows);
    IsWow64Process(GetCurrentProcess(), &on_64);
    if (name == NULL || _strnicmp(image, "\\??\\", 4) != 0)
        sprintf(path, "%.100s\\%s\\drivers\\%.100s", windows, on_64 ? "Sysnative" : "System32", name == NULL ? image : name + 1);
    else
        sprintf(path, "%.*s", (int)size - 1, image + 4);
}

static void tell_driver(SC_HANDLE manager, ENUM_SERVICE_STATUSA *driver, int *count, teller tell)
{
    union {
        QUERY_SERVICE_CONFIGA config;
        char room[8192];
    } answer;
    char path[2 * MAX_PATH], line[2 * MAX_PATH + 400];
    SC_HANDLE service = OpenServiceA(manager, driver->lpServiceName, SERVICE_QUERY_CONFIG);
    DWORD needed;

    if (service == NULL) return;
    if (QueryServiceConfigA(service, &answer.config, sizeof answer, &needed) && answer.config.lpBinaryPathName != NULL) {
        driver_file(answer.config.lpBinaryPathName, path, sizeof path);
        if (filters(path)) {
            sprintf(line, "  %.100s (%.200s): %s", driver->lpServiceName, driver->lpDisplayName, path);
            tell(line);
            ++*count;
        }
    }
    CloseServiceHandle(service);
}

void tell_drivers(teller tell)
{
    SC_HANDLE manager = OpenSCManagerA(NULL, NULL, SC_MANAGER_CONNECT | SC_MANAGER_ENUMERATE_SERVICE);
    ENUM_SERVICE_STATUSA *list = (ENUM_SERVICE_STATUSA *)calloc(1, 262144);
    DWORD needed = 0, count = 0, resume = 0, i;
    int found = 0;

    tell("Running drivers that filter connections (Windows Filtering Platform):");
    if (manager == NULL || list == NULL ||
        !EnumServicesStatusA(manager, SERVICE_KERNEL_DRIVER, SERVICE_ACTIVE, list, 262144, &needed, &count, &resume))
        tell("  cannot be listed");
    for (i = 0; i < count; i++) tell_driver(manager, &list[i], &found, tell);
    if (found == 0) tell("  none");
    free(list);
    if (manager != NULL) CloseServiceHandle(manager);
}
