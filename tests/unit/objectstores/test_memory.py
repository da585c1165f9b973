import pytest

from libra.errors import ObjectStoreError
from libra.objectstores.base import Account
from libra.objectstores.memory import MemoryStore

ACCOUNT = Account(endpoint="memory://", token="t")


def test_a_message_cannot_fill_the_workers_memory() -> None:
    store = MemoryStore(most_bytes=10)
    store.put(ACCOUNT, "logs", "a", iter([b"123456"]))
    with pytest.raises(ObjectStoreError, match=r"^cannot store logs/b: ") as caught:
        store.put(ACCOUNT, "logs", "b", iter([b"123", b"45"]))
    assert caught.value.status == 507
    assert store.paths() == ["logs/a"]


def test_an_object_may_be_replaced_where_it_alone_fills_the_store() -> None:
    store = MemoryStore(most_bytes=6)
    store.put(ACCOUNT, "logs", "a", iter([b"123456"]))
    store.put(ACCOUNT, "logs", "a", iter([b"abcdef"]))
    assert store.get("logs/a") == b"abcdef"
