"""URLs of the database that cannot be used, and files that are not there."""

from collections.abc import Callable
from pathlib import Path

import pytest

from libra.errors import Invalid, StorageUnavailable
from libra.storage.schema import upgrade
from libra.storage.sql import open_storage


@pytest.mark.parametrize(
    "wrong",
    [
        "",
        "geheim",
        "sqlite://",
        "mysql://u:geheim@127.0.0.1/x",
        "postgresql://u:geheim@127.0.0.1:geheim/x",
        "postgresql://u:vor@geheim@127.0.0.1/x",
        "postgresql://u:geheim@127.0.0.1",
    ],
)
@pytest.mark.parametrize("use", [upgrade, open_storage])
def test_a_url_that_is_none(wrong: str, use: Callable[[str], object]) -> None:
    with pytest.raises(Invalid, match=r"^cannot .* the URL of the database") as caught:
        use(wrong)
    assert "geheim" not in str(caught.value)
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


def test_a_check_makes_no_file(tmp_path: Path) -> None:
    storage = open_storage(f"sqlite:///{tmp_path / 'mistyped.db'}")
    with pytest.raises(StorageUnavailable, match="no schema yet"):
        storage.check()
    assert list(tmp_path.iterdir()) == []
