"""Print properties of the running Python as a CMake list; see FindPythonAndPybind11.cmake."""

import sys
import sysconfig
from pathlib import Path

try:
    import pybind11

    pybind11_include = pybind11.get_include()
except ImportError:
    pybind11_include = ""

name = sysconfig.get_config_var("INSTSONAME") or ""
library = Path(sysconfig.get_config_var("LIBDIR") or "/", name)
shared = str(library) if ".so" in name and library.is_file() else "NONE"

print(
    ";".join(
        [
            sys.executable,
            f"{sys.version_info.major}.{sys.version_info.minor}",
            sysconfig.get_path("include"),
            shared,
            sysconfig.get_config_var("EXT_SUFFIX"),
            pybind11_include or "NONE",
        ]
    ),
    end="",
)
