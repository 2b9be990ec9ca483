"""Items that stand word for word in a corpus, found in one pass over it.

The index is of the items, whose runs of 13 words (Brown et al., arXiv 2005.14165) fit into memory whatever the corpus
is; that goes by document by document. Runs are compared by hashes of 64 bits: with 3 million runs of items and 2
billion of a corpus, one corpus in 3,000 would give a single wrong hit.
"""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from hashlib import blake2b
from itertools import chain
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mplus_eval.contamination.item_texts import ItemText
from mplus_eval.errors import UsageError
from mplus_eval.records.contamination import Overlap

WORDS = 13
MOST_OF_IT = 0.7
"""Share of an item's runs that stand there, from which on most of it does (Chowdhery et al., arXiv 2204.02311)."""
ENDINGS = (".txt", ".jsonl", ".jsonl.gz", ".parquet")
N_EXAMPLES = 5
_BLOCK = 4 * 2**20
_MOST_WORDS_KEPT = 500_000
_PRIME = np.uint64(0x9E3779B97F4A7C15)
_WORD = re.compile(r"\w+")
Hashes = NDArray[np.uint64]


class Words:
    """Words as numbers of 64 bits; the frequent ones are remembered, and no more than memory is for."""

    def __init__(self) -> None:
        self._known: dict[str, int] = {}

    def of(self, text: str) -> Hashes:
        """The words of a text in lower case, without what stands between them; shape (words,)."""
        known = self._known
        if len(known) > _MOST_WORDS_KEPT:
            known.clear()
        numbers = []
        for word in _WORD.findall(text.lower()):
            number = known.get(word)
            if number is None:
                digest = blake2b(word.encode("utf-8", "surrogatepass"), digest_size=8).digest()
                number = known[word] = int.from_bytes(digest, "little")
            numbers.append(number)
        return np.array(numbers, dtype=np.uint64)


def runs(words: Hashes) -> Hashes:
    """A hash of every run of `WORDS` words; shape (words − `WORDS` + 1,), empty of fewer words."""
    if words.size < WORDS:
        return words[:0]
    n = words.size - WORDS + 1
    hashes = np.zeros(n, dtype=np.uint64)
    for place in range(WORDS):
        hashes = hashes * _PRIME + words[place : place + n]
    # Spread once more, since the last word alone decides the low bits.
    return hashes ^ (hashes >> np.uint64(29))


def overlaps(items: Mapping[str, Sequence[ItemText]], corpus: Iterable[str]) -> dict[str, Overlap]:
    """How much of every task's items stands in a corpus.

    Args:
        items: by task.
        corpus: its documents, or blocks of them; read once, one at a time.
    """
    words = Words()
    of_items = [(task, item, np.unique(runs(words.of(item.text)))) for task, each in items.items() for item in each]
    index = np.unique(np.concatenate([hashes for _, _, hashes in of_items])) if of_items else np.zeros(0, np.uint64)
    found = np.zeros(index.size, dtype=bool)
    if index.size:
        for text in corpus:
            hashes = runs(words.of(text))
            places = np.minimum(np.searchsorted(index, hashes), index.size - 1)
            found[places[index[places] == hashes]] = True
    told = {}
    for task in items:
        own = [(item, hashes) for of_task, item, hashes in of_items if of_task == task]
        shares = {
            item.item_id: float(found[np.searchsorted(index, hashes)].mean()) for item, hashes in own if hashes.size
        }
        most = [item_id for item_id, share in shares.items() if share >= MOST_OF_IT]
        told[task] = Overlap(
            n_items=len(own),
            n_any=sum(share > 0 for share in shares.values()),
            n_most=len(most),
            n_short=len(own) - len(shares),
            words=WORDS,
            examples=tuple(most[:N_EXAMPLES]),
        )
    return told


def corpus_files(places: Iterable[Path]) -> list[Path]:
    """The files of a corpus; of a folder all that can be read.

    Raises:
        UsageError: nothing is there, or of another kind.
    """
    files: list[Path] = []
    for place in places:
        if not place.exists():
            raise UsageError(f"--corpus {place}: no such file or folder")
        inside = sorted(place.rglob("*")) if place.is_dir() else [place]
        readable = [path for path in inside if path.name.endswith(ENDINGS) and path.is_file()]
        if not readable:
            raise UsageError(f"--corpus {place}: {', '.join(ENDINGS)} is accepted, or a folder of them")
        files += readable
    return files


def documents(path: Path, field: str = "text") -> Iterator[str]:
    """The documents of a file, one at a time; of a plain text blocks, that begin with the last words of the one before.

    Args:
        path: of one of the kinds in `ENDINGS`.
        field: of JSON lines and Parquet, that holds the text.

    Raises:
        UsageError: the field is not there, or the file cannot be read; with file and row.
    """
    if path.name.endswith(".parquet"):
        yield from _parquet(path, field)
    elif path.name.endswith(".txt"):
        yield from _plain(path)
    else:
        yield from _json_lines(path, field)


def _plain(path: Path) -> Iterator[str]:
    tail = ""
    with path.open(encoding="utf-8", errors="replace") as file:
        while block := file.read(_BLOCK):
            text = tail + block
            yield text
            # A word may be cut at the end of a block: the next one begins before it.
            last = [match.start() for match in _WORD.finditer(text, max(0, len(text) - 200 * WORDS))][-WORDS:]
            tail = text[last[0] :] if last else ""


def _json_lines(path: Path, field: str) -> Iterator[str]:
    number = 0
    try:
        with gzip.open(path, "rb") if path.name.endswith(".gz") else path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                if line.strip():
                    yield _text_of(line, field, f"--corpus {path}, line {number}")
    except (OSError, EOFError) as error:
        why = " ".join(str(error).split())[:150]
        raise UsageError(f"--corpus {path}, line {number + 1}: cannot be read ({why})") from None


def _text_of(line: bytes, field: str, where: str) -> str:
    try:
        row = json.loads(line)
    except ValueError as error:
        raise UsageError(f"{where}: cannot be read ({' '.join(str(error).split())[:150]})") from None
    text = row.get(field) if isinstance(row, dict) else None
    if not isinstance(text, str):
        raise UsageError(f"{where}: no text in {field!r}; name the field with --corpus-field")
    return text


def _parquet(path: Path, field: str) -> Iterator[str]:
    import pyarrow as pa
    from pyarrow import parquet

    try:
        with parquet.ParquetFile(path) as file:
            if field not in file.schema_arrow.names:
                names = ", ".join(file.schema_arrow.names)
                raise UsageError(f"--corpus {path}: no column {field!r}; it has {names}: name one with --corpus-field")
            for batch in file.iter_batches(batch_size=1000, columns=[field]):
                yield from (str(text) for text in batch.column(0).to_pylist() if text is not None)
    except (pa.ArrowException, OSError) as error:
        raise UsageError(f"--corpus {path}: cannot be read ({' '.join(str(error).split())[:150]})") from None


def all_documents(files: Iterable[Path], field: str) -> Iterator[str]:
    """The documents of all files."""
    return chain.from_iterable(documents(path, field) for path in files)
