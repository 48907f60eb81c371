import numpy as np
import pytest

from deepscribble.errors import InvalidInput, MissingScale, NotFound
from deepscribble.stores import Query


def names(store):
    return [image.name for image in store.images()]


def container(server, *kinds_and_links):
    """Saves containers of OMERO's that are linked; returns the number of the first."""
    with server.gateway("ds-ada", "ds-annotate") as connection:
        save = connection.getUpdateService().saveAndReturnObject
        saved = [save(each, connection.SERVICE_OPTS) for each in kinds_and_links]
    return saved[0].getId().getValue()


def test_datasets_and_projects_mean_their_images(omero_server, slide, opened):
    from omero.model import DatasetI, ProjectDatasetLinkI, ProjectI
    from omero.rtypes import rstring

    def named(kind, name):
        made = kind()
        made.setName(rstring(name))
        return made

    dataset = container(omero_server, named(DatasetI, "d"))
    project = container(omero_server, named(ProjectI, "p"))
    link = ProjectDatasetLinkI()
    link.setParent(ProjectI(project, False))
    link.setChild(DatasetI(dataset, False))
    container(omero_server, link)
    for name in ("a", "b"):
        omero_server.image(slide, name=name, dataset=dataset)
    assert names(opened(dataset, "Dataset")) == ["a", "b"]
    assert names(opened(project, "Project")) == ["a", "b"]
    empty = container(omero_server, named(DatasetI, "e"))
    assert names(opened(empty, "Dataset")) == []


def test_wells_plates_and_screens_mean_their_images(omero_server, slide, opened):
    from omero.model import ImageI, PlateI, ScreenI, ScreenPlateLinkI, WellI, WellSampleI
    from omero.rtypes import rint, rstring

    image = omero_server.image(slide, name="w")
    plate, screen = PlateI(), ScreenI()
    plate.setName(rstring("p"))
    screen.setName(rstring("s"))
    plate, screen = container(omero_server, plate), container(omero_server, screen)
    link = ScreenPlateLinkI()
    link.setParent(ScreenI(screen, False))
    link.setChild(PlateI(plate, False))
    container(omero_server, link)
    well = WellI()
    well.setPlate(PlateI(plate, False))
    well.setRow(rint(0))
    well.setColumn(rint(0))
    sample = WellSampleI()
    sample.setImage(ImageI(image, False))
    well.addWellSample(sample)
    well = container(omero_server, well)
    for kind, id in (("Well", well), ("Plate", plate), ("Screen", screen)):
        assert names(opened(id, kind)) == ["w"]


def test_what_is_not_there_or_not_for_this_user_is_said_to_be_so(omero_server, slide, opened):
    image = omero_server.image(slide)
    for id, kind, user in (
        (10**9, "Image", "ds-ada"),
        (10**9, "Dataset", "ds-ada"),
        (image, "Image", "ds-eve"),
    ):
        with pytest.raises(NotFound, match="check the number, the user and the user's groups"):
            opened(id, kind, user=user).images()


def test_an_image_knows_its_size_and_scale(omero_server, slide, opened):
    (listed,) = opened(omero_server.image(slide, mpp=(0.25, 0.25))).images()
    assert (listed.size, listed.mpp, listed.path) == ((400, 300), 0.25, None)


def test_without_a_pixel_size_one_must_be_given(omero_server, slide, opened):
    store = opened(omero_server.image(slide, mpp=None))
    (listed,) = store.images()
    assert listed.mpp is None
    with pytest.raises(MissingScale, match="--mpp"):
        store.open(listed, None)
    with store.open(listed, 0.5) as opened_slide:
        assert opened_slide.mpp == 0.5


@pytest.mark.parametrize(
    ("size", "unit", "mpp"),
    [
        (250.0, "NANOMETER", 0.25),
        (0.00025, "MILLIMETER", 0.25),
        # Neither is a length.
        (1.0, "PIXEL", None),
        (0.5, "REFERENCEFRAME", None),
        (0.0, "MICROMETER", None),
    ],
)
def test_a_pixel_size_is_understood_in_every_unit_of_length(
    omero_server, slide, opened, size, unit, mpp
):
    from omero.model import LengthI
    from omero.model.enums import UnitsLength

    image = omero_server.image(slide)
    with omero_server.gateway() as connection:
        pixels = connection.getObject("Image", image).getPrimaryPixels().id
        stored = connection.getQueryService().get("Pixels", pixels, connection.SERVICE_OPTS)
        length = LengthI(size, getattr(UnitsLength, unit))
        stored.setPhysicalSizeX(length)
        stored.setPhysicalSizeY(length)
        connection.getUpdateService().saveObject(stored, connection.SERVICE_OPTS)
    (listed,) = opened(image).images()
    assert listed.mpp == (mpp and pytest.approx(mpp))


def test_pixels_that_are_not_square_are_refused(omero_server, slide, opened):
    store = opened(omero_server.image(slide, mpp=(0.25, 0.5)))
    with pytest.raises(InvalidInput, match="not square"):
        store.open(store.images()[0], None)


def test_an_image_that_is_still_imported_is_a_problem_and_not_an_error(omero_server, slide, opened):
    if omero_server.standin is None:
        pytest.skip("a real server cannot be held in the middle of an import")
    image = omero_server.image(slide)
    omero_server.standin.importing(image)
    store = opened(image)
    (listed,) = store.images()
    assert "import" in listed.problem
    assert not store.read(listed, Query()).strokes
    with pytest.raises(InvalidInput, match="import"):
        store.open(listed, None)


def test_pixels_of_a_type_that_no_brightfield_scanner_writes_are_a_problem(omero_server, opened):
    image = omero_server.image(np.zeros((3, 20, 20), dtype=np.uint32).transpose(1, 2, 0))
    assert "uint32" in opened(image).images()[0].problem
