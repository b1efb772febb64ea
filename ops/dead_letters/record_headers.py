"""Headers of a Kafka record, readable by name: a list of names and values, in which a name may be repeated."""

from collections.abc import Iterable, Iterator, Mapping

Pair = tuple[str, bytes | None]


class Headers(Mapping[str, bytes | None]):
    """Headers by name, as a fix reads them; of a repeated name, the last value counts."""

    def __init__(self, pairs: Iterable[Pair]) -> None:
        self.pairs = tuple(pairs)
        """All names and values in their order."""
        self._by_name = dict(self.pairs)

    def __getitem__(self, name: str) -> bytes | None:
        return self._by_name[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._by_name)

    def __len__(self) -> int:
        return len(self._by_name)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Mapping) and sorted_pairs(self) == sorted_pairs(other)

    def __hash__(self) -> int:
        return hash(self.pairs)

    def __repr__(self) -> str:
        return f"Headers({list(self.pairs)})"


def pairs_of(headers: Mapping[str, bytes | None]) -> tuple[Pair, ...]:
    """Return names and values, those of repeated names included; a fix may have made a dict of the headers."""
    return headers.pairs if isinstance(headers, Headers) else tuple(headers.items())


def sorted_pairs(headers: Mapping[str, bytes | None]) -> list[Pair]:
    """Return names and values by name; the values of one name stay in their order."""
    return sorted(pairs_of(headers), key=lambda pair: pair[0])
