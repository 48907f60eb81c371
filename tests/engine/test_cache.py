"""What the engine remembers, within a budget of bytes."""

from dataclasses import dataclass

import pytest

from deepscribble.engine.cache import RegionCache


@dataclass
class Value:
    nbytes: int


def test_the_value_used_longest_ago_goes_first():
    cache = RegionCache(10)
    one, two = Value(4), Value(6)
    cache.put("one", one)
    cache.put("two", two)
    assert cache.get("one", Value) is one
    cache.put("three", Value(5))
    assert cache.get("two", Value) is None
    assert cache.get("one", Value) is one
    assert cache.nbytes == 9


def test_a_value_that_grew_lets_others_go_when_it_is_put_again():
    cache = RegionCache(10)
    grows = Value(2)
    cache.put("grows", grows)
    cache.put("other", Value(6))
    grows.nbytes = 7
    cache.put("grows", grows)
    assert cache.get("other", Value) is None
    assert cache.nbytes == 7
    grows.nbytes = 11
    cache.put("grows", grows)
    assert cache.get("grows", Value) is None
    assert cache.nbytes == 0


def test_a_key_of_another_kind_is_a_fault():
    cache = RegionCache(10)
    cache.put("key", Value(1))
    with pytest.raises(TypeError, match="holds a Value"):
        cache.get("key", RegionCache)
