"""Version number of the next ruleset, which follows from the accepted ones."""

import msgspec
import pytest

from connectors.settings import Settings
from ops.rules.rulesets import _next_version, _published
from udfs.fraud import ruleset_files


def record(version: int) -> bytes:
    """Return the default rules under a number."""
    file = ruleset_files.parse(ruleset_files.default_text())
    return msgspec.json.encode(
        ruleset_files.ruleset(file, version=version, effective_from=0, published_at=0, published_by="a test")
    )


@pytest.mark.parametrize(
    ("versions", "following"), [((), 1), ((1, 2), 3), ((1, 7), 8), ((1, 2**63 - 1), 2), ((2**63 - 1,), 1)]
)
def test_number_out_of_sequence_is_rejected_and_not_counted(versions: tuple[int, ...], following: int) -> None:
    records = [_published(offset, record(version), Settings()) for offset, version in enumerate(versions)]

    assert _next_version(records) == following
