# SPDX-License-Identifier: BSD-3-Clause
"""What comes from outside: JSON is read strictly, and text is shown so that a terminal does not obey it."""

from __future__ import annotations

import json
import math
import re
import sys
from pathlib import Path
from typing import Any, TextIO

from lockstep_analysis.errors import AnalysisError

# Control characters but line ends and tabs, and bytes of names that are not UTF-8 (which Python has as surrogates).
_UNSEEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")


def visible(text: Any) -> str:
    """With \\x1b for the character that begins a terminal's commands, and so on."""
    return _UNSEEN.sub(lambda m: f"\\x{ord(m[0]) & 0xFF if 0xDC80 <= ord(m[0]) <= 0xDCFF else ord(m[0]):02x}", str(text))


def say(*parts: Any, sep: str = " ", file: TextIO | None = None) -> None:
    """print() for text that may have names in it."""
    print(visible(sep.join(map(str, parts))), file=file or sys.stdout)


def read_json(path: Path) -> Any:
    """A JSON file; raises AnalysisError that names it for one that cannot be read, is not JSON, has a key twice in one object or a
    number that is none."""

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key, value in pairs:
            if key in found:
                raise ValueError(f"the key '{key}' is given twice in one object")
            found[key] = value
        return found

    def finite(digits: str) -> float:
        number = float(digits)
        if not math.isfinite(number):
            raise ValueError(f"{digits} is no number")
        return number

    try:
        return json.loads(path.read_text(encoding="utf-8"), object_pairs_hook=once, parse_float=finite, parse_constant=finite)
    except OSError as error:
        raise AnalysisError(f"cannot read {path}: {error.strerror}") from None
    except RecursionError:
        raise AnalysisError(f"{path} is not JSON: objects and lists are nested too deeply") from None
    except ValueError as error:
        raise AnalysisError(f"{path} is not JSON: {error}") from None
