import deepscribble.benchmark


def test_every_name_is_there() -> None:
    for name in deepscribble.benchmark.__all__:
        assert getattr(deepscribble.benchmark, name).__name__ == name
