/* Loads win_link_plugin.dll, lets it close, and ends. */
#include <winsock2.h>
#include <stdio.h>
#include <string.h>

int main(void)
{
    int (*closes)(void);
    FARPROC found;
    HMODULE plugin;
    WSADATA data;

    if (WSAStartup(MAKEWORD(2, 2), &data) != 0) return 10;
    plugin = LoadLibraryA("win_link_plugin.dll");
    found = plugin == NULL ? NULL : GetProcAddress(plugin, "plugin_closes");
    if (found == NULL) return 11;
    memcpy(&closes, &found, sizeof(closes));
    return closes();
}
