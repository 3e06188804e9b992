"""Repackages the archives of a release (`make dist`); nothing is compiled here.

    conan create contrib/packaging/conan -c user.graceful_close:archives=target/dist [-o "*:shared=True"]

The configuration names the directory, or the https address, where the archives and their SHA256SUMS
are. One package for each system, architecture, compiler family, and shared or static.
"""

import glob
import hashlib
import os

from conan import ConanFile
from conan.errors import ConanException, ConanInvalidConfiguration
from conan.tools.files import copy, download, load, unzip

required_conan_version = ">=2.0"


class GracefulCloseConan(ConanFile):
    name = "graceful_close"
    version = "0.2.0"
    description = "Ends a TCP connection properly: nothing of the answer lost, no hang, and the outcome told"
    license = "MIT OR Apache-2.0"
    topics = ("tcp", "sockets", "winsock", "shutdown", "close")
    package_type = "library"
    settings = "os", "arch", "compiler", "build_type"
    options = {"shared": [True, False]}
    default_options = {"shared": False}

    def configure(self):
        # a C interface
        self.settings.rm_safe("compiler.libcxx")
        self.settings.rm_safe("compiler.cppstd")

    def package_id(self):
        # one archive for all versions and configurations of a compiler
        for setting in ("build_type", "compiler.version", "compiler.update", "compiler.toolset", "compiler.runtime",
                        "compiler.runtime_type", "compiler.runtime_version", "compiler.threads", "compiler.exception"):
            self.info.settings.rm_safe(setting)

    @property
    def _msvc(self):
        runtime = self.settings.get_safe("compiler.runtime")  # clang has one when it follows msvc
        return self.settings.os == "Windows" and runtime is not None

    @property
    def _platform(self):
        """As the archives call it, or None."""
        system, machine = str(self.settings.os), str(self.settings.arch)
        if system == "Linux":
            return {"x86_64": "linux-x86_64"}.get(machine)
        if system == "Windows":
            width = {"x86_64": "x64", "x86": "x86"}.get(machine)
            return width and "windows-" + width
        return None

    def validate(self):
        if self._platform is None:
            raise ConanInvalidConfiguration("there is no archive for %s on %s" % (self.settings.os, self.settings.arch))
        if self._msvc and not self.options.shared and self.settings.get_safe("compiler.runtime") == "static":
            raise ConanInvalidConfiguration("the static library uses the C runtime as a DLL (/MD)")

    def _fetch(self, base, name):
        if base.startswith(("https://", "http://")):
            download(self, base.rstrip("/") + "/" + name, name)
            return os.path.join(self.build_folder, name)
        return os.path.join(base, name)

    def build(self):
        base = self.conf.get("user.graceful_close:archives")
        if not base:
            raise ConanException("say where the archives are: -c user.graceful_close:archives=DIRECTORY_OR_ADDRESS")
        sums = dict(reversed(line.replace("*", " ").split(None, 1))
                    for line in load(self, self._fetch(base, "SHA256SUMS")).splitlines() if line.strip())
        stem = "graceful_close-%s-%s." % (self.version, self._platform)
        names = [name for name in sums if name.startswith(stem) and name.endswith((".tar.gz", ".tar.xz", ".zip"))]
        if len(names) != 1:
            raise ConanException("SHA256SUMS names %d archives like %s*" % (len(names), stem))
        archive = self._fetch(base, names[0])
        with open(archive, "rb") as file:
            found = hashlib.sha256(file.read()).hexdigest()
        if found != sums[names[0]]:
            raise ConanException("%s is not the file of SHA256SUMS" % names[0])
        unzip(self, archive, destination=os.path.join(self.build_folder, "archive"), strip_root=True)

    def package(self):
        source = os.path.join(self.build_folder, "archive")

        def keep(pattern, folder):
            copy(self, pattern, os.path.join(source, folder), os.path.join(self.package_folder, folder))

        keep("*.h", "include")
        keep("*.hpp", "include")
        copy(self, "LICENSE*", os.path.join(source, "share", "doc", "graceful_close"),
             os.path.join(self.package_folder, "licenses"))
        if self.options.shared:
            keep("graceful_close.dll", "bin")
            keep("libgraceful_close.so*", "lib")
            keep("graceful_close.dll.lib" if self._msvc else "libgraceful_close.dll.a", "lib")
        else:
            keep("graceful_close.lib" if self._msvc else "libgraceful_close.a", "lib")
        if not glob.glob(os.path.join(self.package_folder, "lib", "*graceful_close*")):
            raise ConanException("the archive has no library for shared=%s" % self.options.shared)

    def package_info(self):
        self.cpp_info.set_property("cmake_file_name", "graceful_close")
        self.cpp_info.set_property("cmake_target_name", "graceful_close::graceful_close")
        kind = "shared" if self.options.shared else "static"
        self.cpp_info.set_property("cmake_target_aliases", ["graceful_close::" + kind])
        self.cpp_info.set_property("pkg_config_name", "graceful_close")
        libraries = glob.glob(os.path.join(self.package_folder, "lib", "*.lib"))
        self.cpp_info.libs = [os.path.splitext(os.path.basename(libraries[0]))[0]] if libraries else ["graceful_close"]
        if self.options.shared:
            if self.settings.os == "Windows":
                self.cpp_info.defines = ["GRACEFUL_CLOSE_DLL"]
        elif self.settings.os == "Windows":
            self.cpp_info.system_libs = ["kernel32", "ntdll", "userenv", "ws2_32", "dbghelp"]
        else:
            self.cpp_info.system_libs = ["util", "rt", "pthread", "m", "dl"]
