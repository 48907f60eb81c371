import pytest

from deepscribble.errors import InvalidInput
from deepscribble.stores.omero import Credentials, find_credentials, parse_address

ADDRESS = parse_address("omero://omero.example.org/Image:1")


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    pytest.importorskip("omero.gateway", reason="omero-py is not installed")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("OMERO_USERDIR", raising=False)
    return tmp_path


def keep(path, text, mode=0o600):
    path.write_text(text)
    path.chmod(mode)


def test_what_is_given_goes_before_the_environment():
    environment = {"OMERO_USER": "bob", "OMERO_PASSWORD": "b", "OMERO_SESSION": "k"}
    assert find_credentials(ADDRESS, key="mine", environment=environment) == Credentials(key="mine")
    assert find_credentials(
        ADDRESS, user="ada", password="a", environment=environment
    ) == Credentials("ada", "a")


def test_the_environment_has_a_user_or_a_session():
    environment = {"OMERO_USER": "bob", "OMERO_PASSWORD": "b"}
    assert find_credentials(ADDRESS, environment=environment) == Credentials("bob", "b")
    assert find_credentials(ADDRESS, environment={"OMERO_SESSION": "k"}) == Credentials(key="k")


def test_a_user_without_a_password_is_left_to_be_asked():
    assert find_credentials(ADDRESS, user="ada", environment={}) is None
    assert find_credentials(ADDRESS, user="ada", environment={"OMERO_SESSION": "k"}) is None


def test_a_file_in_the_home_folder_is_read(home):
    keep(home / ".omero", "# mine\nomero.user=ada\nomero.pass = a=b\n")
    assert find_credentials(ADDRESS, environment={}) == Credentials("ada", "a=b")
    assert find_credentials(ADDRESS, user="bob", environment={}) is None


def test_a_file_for_another_server_is_left_alone(home):
    keep(home / ".omero", "omero.host=elsewhere\nomero.user=ada\nomero.pass=a\n")
    assert find_credentials(ADDRESS, environment={}) is None
    keep(home / ".omero", "omero.host=OMERO.example.org\nomero.user=ada\nomero.pass=a\n")
    assert find_credentials(ADDRESS, environment={}) == Credentials("ada", "a")


def test_a_file_that_ice_is_told_of_goes_first(home):
    keep(home / ".omero", "omero.user=ada\nomero.pass=a\n")
    keep(home / "ice.config", "omero.sess=key\n")
    environment = {"ICE_CONFIG": str(home / "ice.config")}
    assert find_credentials(ADDRESS, environment=environment) == Credentials(key="key")


def test_a_file_that_others_can_read_is_refused(home):
    keep(home / ".omero", "omero.user=ada\nomero.pass=s3cret\n", 0o644)
    with pytest.raises(InvalidInput, match="chmod 600") as caught:
        find_credentials(ADDRESS, environment={})
    assert "s3cret" not in str(caught.value)


def test_a_session_of_omero_login_is_joined_on_its_own_server_only(home):
    from omero.util.sessions import SessionsStore

    store = SessionsStore(str(home / "omero" / "sessions"))
    store.add("omero.example.org", "ada", "the-key", {"omero.port": "4064"})
    store.set_current("omero.example.org", "ada", "the-key", {"omero.port": "4064"})
    assert find_credentials(ADDRESS, environment={}) == Credentials(key="the-key")
    assert find_credentials(ADDRESS, user="bob", environment={}) is None
    other = parse_address("omero://elsewhere/Image:1")
    assert find_credentials(other, environment={}) is None
    assert (
        find_credentials(parse_address("omero://omero.example.org:99/Image:1"), environment={})
        is None
    )


def test_secrets_do_not_show():
    assert "s3cret" not in repr(Credentials("ada", "s3cret", "s3cret"))
