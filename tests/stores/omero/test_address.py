import pytest

from deepscribble.errors import InvalidInput
from deepscribble.stores.omero import Address, is_address, parse_address


def test_an_address_names_server_and_thing():
    assert parse_address("omero://omero.example.org/Dataset:51") == Address(
        "omero.example.org", 4064, "Dataset", 51
    )
    assert parse_address("omero://10.0.0.7:14064/image:3/") == Address(
        "10.0.0.7", 14064, "Image", 3
    )
    assert parse_address("omero://[2001:db8::1]:4064/Well:9").host == "2001:db8::1"


@pytest.mark.parametrize("kind", ["Image", "Dataset", "Project", "Well", "Plate", "Screen"])
def test_an_address_reads_back(kind):
    for host in ("omero", "2001:db8::1"):
        address = Address(host, 4064, kind, 7)
        assert parse_address(str(address)) == address


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("omero://host", "KIND:ID"),
        ("omero:///Image:1", "KIND:ID"),
        ("omero://host/Image:x", "KIND:ID"),
        ("omero://host/Image:-1", "KIND:ID"),
        ("omero://host/Tag:1", "names a Tag"),
        ("omero://host:0/Image:1", "0 is no port"),
        ("omero://host:70000/Image:1", "70000 is no port"),
        ("omero://host/Image:0", "no number"),
        ("omero://host/Image:9999999999999999999", "no number"),
        ("https://host/Image:1", "KIND:ID"),
    ],
)
def test_what_is_no_address_is_refused_with_the_reason(text, says):
    with pytest.raises(InvalidInput, match=says):
        parse_address(text)


def test_a_password_in_an_address_is_refused_and_not_repeated():
    with pytest.raises(InvalidInput) as caught:
        parse_address("omero://ada:s3cret@host/Image:1")
    assert "s3cret" not in str(caught.value)
    assert "--user" in str(caught.value)


def test_what_is_meant_as_an_address_is_told_from_a_path():
    assert is_address("OMERO://host/Image:1")
    assert not is_address("omero/slides")
