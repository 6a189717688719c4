"""Object keys: made here only, and ids are never taken on trust."""

from __future__ import annotations

import pytest

from sxeslake.errors import DamagedLakeError
from sxeslake.format import keys

ID = "00112233445566778899aabbccddeeff"


def test_keys_of_objects() -> None:
    assert keys.log_key(12) == "log/00000000000000000012.json"
    assert keys.manifest_key(ID) == f"manifests/00/{ID}.parquet"
    assert keys.pack_key(ID) == f"packs/00/{ID}.pack"
    assert keys.body_key(ID + ID) == f"log/body/00/{ID}{ID}.json"
    assert keys.checkpoint_prefix(12) == "checkpoints/00000000000000000012/"


def test_keys_give_back_their_ids() -> None:
    assert keys.id_of(keys.pack_key(ID)) == keys.id_of(keys.manifest_key(ID)) == ID
    for other in (
        "lake.json",
        keys.log_key(1),
        f"packs/00/{ID}.tmp",
        f"packs/00/{ID.upper()}.pack",
        f"x/packs/00/{ID}.pack",
    ):
        assert keys.id_of(other) is None


def test_log_keys_sort_as_numbers_do() -> None:
    numbers = [1, 9, 10, 99, 10**18]
    assert sorted(map(keys.log_key, reversed(numbers))) == [keys.log_key(number) for number in numbers]


def test_ids_are_never_alike() -> None:
    made = {keys.new_id() for _ in range(1000)}
    assert len(made) == 1000
    assert all(keys.check_id(one) == one for one in made)


@pytest.mark.parametrize(
    "hostile", ["", "../../etc/passwd", ID[:-1], ID + "0", ID.upper(), ID[:-1] + "\n", 7, None, [ID]]
)
def test_what_is_no_id_is_refused(hostile: object) -> None:
    with pytest.raises(DamagedLakeError):
        keys.check_id(hostile)
    with pytest.raises(DamagedLakeError):
        keys.check_digest(hostile)


@pytest.mark.parametrize("make", [keys.pack_key, keys.manifest_key, keys.body_key])
def test_no_key_is_made_of_what_is_no_id(make: object) -> None:
    assert callable(make)
    with pytest.raises(DamagedLakeError):
        make("../../secrets")
