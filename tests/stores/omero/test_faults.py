"""What a fault at the worst moment leaves; tests/jobs has faults at any moment."""

import json

import pytest

from deepscribble.errors import DeepScribbleError, StoreUnavailable
from deepscribble.stores import Query, plan_edit
from deepscribble.stores.omero import (
    Answer,
    Credentials,
    fingerprint,
    open_omero,
    parse_address,
)
from deepscribble.stores.omero.points import write_points


@pytest.fixture
def world(own_omero_server, slide, shape, draw, tmp_path):
    """A server with an image on which others have drawn."""
    server = own_omero_server
    image = server.image(slide)
    draw(image, shape("Polyline", "Tumor", Points="10,10 50,60"), server=server)
    draw(image, shape("Polygon", "Vessel", Points="1,1 9,1 9,9"), server=server)
    return server, image


def open_image(server, image, tmp_path):
    from deepscribble.stores.omero.login import Connection

    address = parse_address(f"omero://{server.host}:{server.port}/Image:{image}")
    who = Credentials(server.user, server.password)
    patience = Connection(patience=5.0, call_patience=20.0)
    return open_omero(address, who, connection=patience, folder=tmp_path)


def is_answered(server, image, tmp_path):
    """Whether the image is as the last run left it."""
    with open_image(server, image, tmp_path) as store:
        (listed,) = store.images()
        content = store.read(listed, Query())
        return store.answered(listed).is_of(content, fingerprint(content))


def run(server, image, wanted, tmp_path):
    """What a job does with an image: read, plan, write, note the answer."""
    with open_image(server, image, tmp_path) as store:
        (listed,) = store.images()
        content = store.read(listed, Query())
        edit = plan_edit(content, wanted, lambda former: True)
        if edit:
            store.write(listed, edit, content.version)
        named = (*(result.id for result in (*edit.added, *edit.updated)), *edit.unchanged)
        answer = Answer(fingerprint(content), frozenset(named))
        if store.answered(listed) != answer:
            store.note_answer(listed, answer)


def of_others(server):
    """Everything that is not ours, as the server has it."""
    mine = server.ids[server.user]
    kinds = ("Roi", "Polyline", "Polygon", "Image", "Pixels", "RoiAnnotationLink", "MapAnnotation")
    return {
        kind: json.dumps([row for row in server.standin.rows(kind) if row["owner"] != mine])
        for kind in kinds
    }


def check(server, image, wanted, others, tmp_path):
    """That the server has `wanted` of ours, once each, and what others had."""
    assert of_others(server) == others
    mine = server.ids[server.user]
    polygons = [row for row in server.standin.rows("Polygon") if row["owner"] == mine]
    assert sorted(row["fields"]["points"] for row in polygons) == sorted(
        write_points(ring) for result in wanted for ring in result.polygon.rings
    )
    assert len({row["fields"]["textValue"] for row in polygons}) == len(wanted)
    counts = {kind: owned(server, kind) for kind in ("Roi", "RoiAnnotationLink")}
    assert counts == {"Roi": len(wanted), "RoiAnnotationLink": len(wanted)}
    # One note on each Roi, and one on the image.
    assert owned(server, "MapAnnotation") == len(wanted) + 1
    run(server, image, wanted, tmp_path)
    assert {kind: owned(server, kind) for kind in counts} == counts


def owned(server, kind):
    mine = server.ids[server.user]
    return sum(1 for row in server.standin.rows(kind) if row["owner"] == mine)


def test_a_save_that_was_done_though_its_answer_was_lost_is_enough(world, square, tmp_path):
    server, image = world
    others = of_others(server)
    server.standin.fault("IUpdate.saveAndReturnArray", "cut-after")
    wanted = [square(10, hole=True), square(150)]
    run(server, image, wanted, tmp_path)
    check(server, image, wanted, others, tmp_path)


@pytest.mark.parametrize("kind", ["cut-before", "cut-hold"])
def test_a_save_of_which_nothing_is_known_is_left_to_the_next_run(world, square, tmp_path, kind):
    server, image = world
    others = of_others(server)
    server.standin.fault("IUpdate.saveAndReturnArray", kind)
    wanted = [square(10, hole=True), square(150)]
    with pytest.raises(StoreUnavailable):
        run(server, image, wanted, tmp_path)
    server.standin.go_on()
    assert owned(server, "Roi") == (2 if kind == "cut-hold" else 0)
    run(server, image, wanted, tmp_path)
    check(server, image, wanted, others, tmp_path)


def test_a_save_that_is_done_after_the_next_run_is_taken_away_by_the_one_after(
    world, square, tmp_path
):
    server, image = world
    others = of_others(server)
    server.standin.fault("IUpdate.saveAndReturnArray", "cut-hold")
    wanted = [square(10, hole=True), square(150)]
    with pytest.raises(StoreUnavailable):
        run(server, image, wanted, tmp_path)
    run(server, image, wanted, tmp_path)
    assert is_answered(server, image, tmp_path)
    server.standin.go_on()
    assert owned(server, "Roi") == 4
    assert not is_answered(server, image, tmp_path)
    run(server, image, wanted, tmp_path)
    assert is_answered(server, image, tmp_path)
    check(server, image, wanted, others, tmp_path)


def test_a_refused_save_leaves_the_former_results(world, square, tmp_path):
    server, image = world
    others = of_others(server)
    former = [square(10)]
    run(server, image, former, tmp_path)
    server.standin.fault("IUpdate.saveAndReturnArray", "refuse")
    with pytest.raises(DeepScribbleError, match="may not write into the group"):
        run(server, image, [square(150)], tmp_path)
    check(server, image, former, others, tmp_path)


def test_a_server_that_dies_between_saving_and_deleting_keeps_both_until_the_next_run(
    world, square, tmp_path
):
    server, image = world
    others = of_others(server)
    run(server, image, [square(10)], tmp_path)
    server.standin.fault("ServiceFactory.submit", "kill-before")
    wanted = [square(12, strokes="s,t")]
    with pytest.raises(StoreUnavailable):
        run(server, image, wanted, tmp_path)
    server.standin.start()
    assert owned(server, "Roi") == 2
    run(server, image, wanted, tmp_path)
    check(server, image, wanted, others, tmp_path)
