/* Which Windows this is, and which library. */
#include "selftest.h"

#include <stdio.h>
#include <string.h>

typedef const char *(CDECL *wine_version)(void);

const char *wine(void)
{
    FARPROC address = GetProcAddress(GetModuleHandleA("ntdll.dll"), "wine_get_version");
    wine_version version;

    if (address == NULL) return NULL;
    memcpy(&version, &address, sizeof version);
    return version();
}

static void registry_word(const char *name, char *text, DWORD size)
{
    HKEY key;
    DWORD type = 0, length = size - 1;

    memset(text, 0, size);
    if (RegOpenKeyExA(HKEY_LOCAL_MACHINE, "SOFTWARE\\Microsoft\\Windows NT\\CurrentVersion", 0,
                      KEY_QUERY_VALUE | KEY_WOW64_64KEY, &key) != ERROR_SUCCESS)
        return;
    if (RegQueryValueExA(key, name, NULL, &type, (BYTE *)text, &length) != ERROR_SUCCESS) text[0] = '\0';
    if (type == REG_DWORD) {
        DWORD number;
        memcpy(&number, text, sizeof number);
        sprintf(text, "%lu", number);
    }
    RegCloseKey(key);
}

void tell_versions(teller tell)
{
    char line[400], name[80], display[40], build[40], update[40];
    SYSTEM_INFO info;
    BOOL on_64 = FALSE;
    SYSTEMTIME now;

    registry_word("ProductName", name, sizeof name);
    registry_word("DisplayVersion", display, sizeof display);
    registry_word("CurrentBuildNumber", build, sizeof build);
    registry_word("UBR", update, sizeof update);
    sprintf(line, "system    %s %s, build %s.%s", name, display, build, update);
    tell(line);
    if (wine() != NULL) {
        sprintf(line, "          Wine %s", wine());
        tell(line);
    }
    GetNativeSystemInfo(&info);
    IsWow64Process(GetCurrentProcess(), &on_64);
    sprintf(line, "program   %d bits%s, %lu processors", (int)sizeof(void *) * 8, on_64 ? " on 64" : "",
            info.dwNumberOfProcessors);
    tell(line);
    sprintf(line, "library   graceful_close %s", gc_version_string());
    tell(line);
    GetSystemTime(&now);
    sprintf(line, "date      %04d-%02d-%02d %02d:%02d UTC", now.wYear, now.wMonth, now.wDay, now.wHour, now.wMinute);
    tell(line);
    sprintf(line, "state of a connection (SIO_TCP_INFO): %s", tells_states() ? "told" : "not told");
    tell(line);
}
