"""The typed keywords are the filters that there are, and a misspelt one is an error before anything runs."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.small_lakes import group, zip_of

from sxeslake import lake as lakes
from sxeslake.catalog.query.filter_spec import FILTERS, SETTINGS
from sxeslake.errors import UsageError
from sxeslake.filter_words import FilterWords


def test_every_filter_and_setting_is_a_typed_keyword() -> None:
    assert list(FilterWords.__annotations__) == [*(each.name for each in FILTERS), *SETTINGS]


def test_a_misspelt_keyword_is_refused_by_types_and_at_run_time(tmp_path: Path) -> None:
    with lakes.init(str(tmp_path / "lake")) as lake:
        lake.ingest(zip_of(tmp_path / "a.plzip", group(1)))
        with pytest.raises(UsageError, match='Did you mean "current_na"'):
            lake.maps(curent_na=100)  # type: ignore[call-arg]  # which mypy must refuse: an unused ignore is an error
        with pytest.raises(UsageError, match='Did you mean "current_na"'):
            lake.pull_part("a", dry_run=True, curent_na=100)  # type: ignore[call-arg]
        with pytest.raises(UsageError, match="kv"):
            lake.pull_part("a", dry_run=True, kv=object())  # type: ignore[arg-type]
        assert len(lake.positions(sample="a", until=None)) == len(lake.positions())
        assert len(lake.positions(sample=["no", "such*"])) == 0
