"""CLIP's byte-pair tokens for typed words, from the vocabulary file in a bundle; needs no torch.

Byte-pair encoding after R. Sennrich et al., "Neural machine translation of rare words with subword units", 2016,
over UTF-8 bytes, lower case, with CLIP's 49,152 - 256 - 2 merges and its two special tokens.
"""

from __future__ import annotations

import gzip
import html
import unicodedata
import zlib
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from mien.engine.errors import ModelError
from mien.engine.language import tr

MERGES: Final = 49152 - 256 - 2
SOT: Final = 49406
EOT: Final = 49407
_MAX_VOCABULARY_BYTES: Final = 16 << 20
_ENDINGS: Final = ("'s", "'t", "'re", "'ve", "'m", "'ll", "'d")
_STRAIGHT: Final = str.maketrans(
    {**dict.fromkeys("\u2018\u2019\u201a\u201b", "'"), **dict.fromkeys("\u201c\u201d\u201e", '"')}
)


class WordPieces:
    """Sentences to token ids.

    Raises:
        ModelError: the vocabulary file is missing or not CLIP's.
    """

    def __init__(self, vocabulary: Path) -> None:
        try:
            with gzip.open(vocabulary, "rb") as stream:
                content = stream.read(_MAX_VOCABULARY_BYTES + 1)
            lines = content.decode("utf-8").split("\n") if len(content) <= _MAX_VOCABULARY_BYTES else []
        except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
            raise ModelError(
                tr("{path}: cannot be read ({error}); export the model again", path=vocabulary, error=error)
            ) from None
        merges = [tuple(line.split()) for line in lines[1 : MERGES + 1]]
        if len(merges) != MERGES or any(len(merge) != 2 for merge in merges):
            raise ModelError(tr("{path}: not CLIP's vocabulary; export the model again", path=vocabulary))
        self._letters = _byte_letters()
        single = list(self._letters.values())
        pieces = [*single, *(letter + "</w>" for letter in single), *("".join(merge) for merge in merges)]
        self._ids = {piece: number for number, piece in enumerate(pieces)}
        self._ranks = {merge: number for number, merge in enumerate(merges)}

    def count(self, text: str) -> int:
        """How many tokens `text` makes, with its start and end."""
        return len(self._encode(text)) + 2

    def ids(self, text: str, length: int) -> npt.NDArray[np.int64]:
        """(length,) token ids: start, text, end, zeros.

        Raises:
            ModelError: the text does not fit; it is never cut silently.
        """
        tokens = [SOT, *self._encode(text), EOT]
        if len(tokens) > length:
            raise ModelError(
                tr(
                    "the description {text!r}... makes {count} tokens and the model reads {length}; shorten it",
                    text=text[:40],
                    count=len(tokens),
                    length=length,
                )
            )
        row = np.zeros(length, np.int64)
        row[: len(tokens)] = tokens
        return row

    def _encode(self, text: str) -> list[int]:
        found: list[int] = []
        for word in _words(_clean(text)):
            letters = "".join(self._letters[byte] for byte in word.encode("utf-8"))
            found += [self._ids[piece] for piece in self._merge(letters)]
        return found

    def _merge(self, letters: str) -> list[str]:
        pieces = [*letters[:-1], letters[-1] + "</w>"]
        while len(pieces) > 1:
            pairs = list(pairwise(pieces))
            best = min(pairs, key=lambda pair: self._ranks.get(pair, MERGES))
            if best not in self._ranks:
                break
            merged: list[str] = []
            position = 0
            while position < len(pieces):
                if position + 1 < len(pieces) and (pieces[position], pieces[position + 1]) == best:
                    merged.append(best[0] + best[1])
                    position += 2
                else:
                    merged.append(pieces[position])
                    position += 1
            pieces = merged
        return pieces


def _clean(text: str) -> str:
    text = unicodedata.normalize("NFC", text).translate(_STRAIGHT)
    return " ".join(html.unescape(html.unescape(text)).split()).lower()


def _words(text: str) -> Iterator[str]:
    """Runs of letters, single digits, English endings after an apostrophe, runs of everything else."""
    position = 0
    while position < len(text):
        if text[position].isspace():
            position += 1
            continue
        ending = next((end for end in _ENDINGS if text.startswith(end, position)), None)
        if ending is not None:
            stop = position + len(ending)
        else:
            kind = _kind(text[position])
            stop = position + 1
            while kind != "N" and stop < len(text) and not text[stop].isspace() and _kind(text[stop]) == kind:
                stop += 1
        yield text[position:stop]
        position = stop


def _kind(character: str) -> str:
    category = unicodedata.category(character)[0]
    return category if category in "LN" else "other"


def _byte_letters() -> dict[int, str]:
    """A printable letter for each byte, as in GPT-2 and CLIP; the order decides the ids of single bytes."""
    shown = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    letters = {byte: chr(byte) for byte in shown}
    hidden = (byte for byte in range(256) if byte not in letters)
    letters.update({byte: chr(256 + number) for number, byte in enumerate(hidden)})
    return letters
