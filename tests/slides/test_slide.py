"""Slides: the same place has the same pixels, whatever the file and the level."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image

from deepscribble.errors import InvalidInput, LimitExceeded, MissingScale
from deepscribble.geometry import Grid, Region
from deepscribble.slides import open_slide
from deepscribble.slides.pyramid import lay_levels

RNG = np.random.default_rng(0)
NOISE = RNG.integers(0, 256, (150, 210, 3), dtype=np.uint8)


def ramp(height: int, width: int) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """Red grows along x, green along y: a shifted read shows as a changed value."""
    image = np.zeros((height, width, 3), dtype=np.uint8)
    image[:, :, 0] = np.round(np.linspace(0, 255, width))[None, :]
    image[:, :, 1] = np.round(np.linspace(0, 255, height))[:, None]
    return image


def shrink(image: np.ndarray[Any, Any], factor: int) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """Averages of whole blocks; the rest is cut off, as scanners do."""
    rows, columns = image.shape[0] // factor, image.shape[1] // factor
    blocks = image[: rows * factor, : columns * factor].reshape(rows, factor, columns, factor, 3)
    return np.asarray(np.rint(blocks.mean(axis=(1, 3))), dtype=np.uint8)


def write_pyramid(path: Path, image: np.ndarray[Any, Any], factors: tuple[int, ...]) -> Path:
    with tifffile.TiffWriter(path) as tiff:
        options: dict[str, Any] = {"tile": (32, 48), "photometric": "rgb", "compression": "zlib"}
        tiff.write(
            image,
            subifds=len(factors),
            resolution=(20000, 20000),
            resolutionunit="CENTIMETER",
            **options,
        )
        for factor in factors:
            tiff.write(shrink(image, factor), subfiletype=1, **options)
    return path


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"tile": (32, 48)},
        {"tile": (32, 48), "compression": "deflate", "predictor": True},
        {"rowsperstrip": 7, "compression": "lzw"},
        {"planarconfig": "separate", "tile": (64, 32)},
        {"planarconfig": "separate", "rowsperstrip": 11},
        {"bigtiff": True, "byteorder": ">"},
    ],
    ids=str,
)
def test_every_layout_of_tiff_reads_the_same_pixels(
    tmp_path: Path, options: dict[str, Any]
) -> None:
    bigtiff = options.pop("bigtiff", False)
    byteorder = options.pop("byteorder", "<")
    planar = options.get("planarconfig") == "separate"
    with tifffile.TiffWriter(tmp_path / "a.tif", bigtiff=bigtiff, byteorder=byteorder) as tiff:
        tiff.write(NOISE.transpose(2, 0, 1) if planar else NOISE, photometric="rgb", **options)
    with open_slide(tmp_path / "a.tif", mpp=0.5) as slide:
        assert (slide.width, slide.height) == (210, 150)
        assert slide.warnings == ()
        np.testing.assert_array_equal(slide.read(slide.whole(), 0.5), NOISE)
        region = slide.region(31, 45, 70, 33)
        np.testing.assert_array_equal(slide.read(region, 0.5), NOISE[45:78, 31:101])


@pytest.mark.parametrize("suffix", [".png", ".webp", ".jpg"])
def test_plain_images_read_in_level_0(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"ä{suffix}"
    Image.fromarray(NOISE).save(path, lossless=True)
    stored = np.array(Image.open(path).convert("RGB"))
    with open_slide(path, mpp=0.25) as slide:
        np.testing.assert_array_equal(
            slide.read(slide.region(5, 6, 20, 30), 0.25), stored[6:36, 5:25]
        )


@pytest.mark.parametrize("mpp", [0.31, 0.5, 0.77, 1.0, 1.7, 2.0, 3.9, 4.0, 7.0])
def test_levels_agree_with_level_0_to_a_fraction_of_a_pixel(tmp_path: Path, mpp: float) -> None:
    image = ramp(401, 603)
    path = write_pyramid(tmp_path / "pyramid.tif", image, (2, 4, 8))
    tifffile.imwrite(tmp_path / "flat.tif", image, photometric="rgb")
    with open_slide(path) as pyramid, open_slide(tmp_path / "flat.tif", mpp=0.5) as flat:
        assert pyramid.mpp == pytest.approx(0.5)
        for box in ((0, 0, 603, 401), (101, 53, 333, 250), (590, 390, 13, 11)):
            region = pyramid.region(*box)
            read = pyramid.read(region, mpp)
            assert read.shape == (*Grid.at(region, mpp).shape, 3)
            difference = read.astype(int) - flat.read(flat.region(*box), mpp).astype(int)
            # Values step by 0.42 and 0.64 a pixel and are rounded at each level. The last
            # column and row are cut off in the levels.
            assert np.abs(difference[:-1, :-1]).max(initial=0) <= 2
            assert abs(difference[:-1, :-1].mean()) < 0.4 if difference[:-1, :-1].size else True


def test_a_coarser_level_than_asked_is_never_read(tmp_path: Path) -> None:
    image = np.zeros((128, 128, 3), dtype=np.uint8)
    path = tmp_path / "marked.tif"
    with tifffile.TiffWriter(path) as tiff:
        tiff.write(image + 10, subifds=2, tile=(32, 32), photometric="rgb")
        tiff.write(image[::2, ::2] + 20, subfiletype=1, tile=(32, 32), photometric="rgb")
        tiff.write(image[::4, ::4] + 40, subfiletype=1, tile=(32, 32), photometric="rgb")
    with open_slide(path, mpp=1.0) as slide:
        values = [int(slide.read(slide.whole(), mpp)[0, 0, 0]) for mpp in (0.5, 1, 1.9, 2, 3.9, 4)]
    assert values == [10, 10, 10, 20, 20, 40]


def test_levels_shrunk_by_whole_factors_are_laid_by_those() -> None:
    levels = lay_levels([(2033, 1525), (1016, 762), (508, 381), (127, 95), (1500, 1000)])
    assert [(level.downsample_x, level.downsample_y) for level in levels[:4]] == [
        (1, 1), (2, 2), (4, 4), (16, 16),
    ]  # fmt: skip
    assert levels[4].downsample_x == pytest.approx(2033 / 1500)


def test_long_reads_in_bands_are_seamless(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_pyramid(tmp_path / "pyramid.tif", NOISE, (2,))
    with open_slide(path) as slide:
        whole = slide.read(slide.whole(), 0.85)
        monkeypatch.setattr("deepscribble.slides.slide.BAND_PIXELS", 1000)
        np.testing.assert_array_equal(slide.read(slide.whole(), 0.85), whole)


def test_gray_16_bit_and_transparent_tiffs_are_converted_with_a_warning(tmp_path: Path) -> None:
    deep = NOISE.astype(np.uint16) * 256 + 9
    tifffile.imwrite(tmp_path / "deep.tif", deep, photometric="rgb")
    tifffile.imwrite(tmp_path / "gray.tif", NOISE[:, :, 0], photometric="minisblack")
    tifffile.imwrite(tmp_path / "white.tif", NOISE[:, :, 0], photometric="miniswhite")
    alpha = np.dstack([NOISE, np.zeros(NOISE.shape[:2], np.uint8)])
    tifffile.imwrite(tmp_path / "alpha.tif", alpha, photometric="rgb", extrasamples=["unassalpha"])
    gray = np.repeat(NOISE[:, :, :1], 3, axis=2)
    expected = {"deep": NOISE, "gray": gray, "white": 255 - gray, "alpha": NOISE * 0 + 255}
    for name, pixels in expected.items():
        with open_slide(tmp_path / f"{name}.tif", mpp=0.5) as slide:
            np.testing.assert_array_equal(slide.read(slide.whole(), 0.5), pixels)
            assert [warning.code for warning in slide.warnings] == ["PIXELS_CONVERTED"]


def test_palette_tiff_goes_the_way_of_whole_images(tmp_path: Path) -> None:
    image = Image.new("P", (4, 3), 1)
    image.putpalette([0, 0, 0, 10, 200, 30])
    image.save(tmp_path / "palette.tif")
    with open_slide(tmp_path / "palette.tif", mpp=0.5) as slide:
        assert slide.read(slide.whole(), 0.5)[0, 0].tolist() == [10, 200, 30]
        assert len(slide.warnings) == 1


@pytest.mark.parametrize(
    ("options", "mpp"),
    [
        ({"resolution": (40000, 40000), "resolutionunit": "CENTIMETER"}, 0.25),
        ({"resolution": (25400, 25400), "resolutionunit": "INCH"}, 1.0),
        ({"resolution": (4, 4), "imagej": True, "metadata": {"unit": "um"}}, 0.25),
        ({"ome": True, "metadata": {"PhysicalSizeX": 0.3, "PhysicalSizeY": 0.3}}, 0.3),
        (
            {
                "ome": True,
                "metadata": {
                    "PhysicalSizeX": 300, "PhysicalSizeXUnit": "nm",
                    "PhysicalSizeY": 300, "PhysicalSizeYUnit": "nm",
                },
            },
            0.3,
        ),
    ],
)  # fmt: skip
def test_scale_comes_from_the_file(tmp_path: Path, options: dict[str, Any], mpp: float) -> None:
    tifffile.imwrite(tmp_path / "scaled.tif", NOISE, photometric="rgb", **options)
    with open_slide(tmp_path / "scaled.tif") as slide:
        assert slide.mpp == pytest.approx(mpp)
        assert slide.warnings == ()


@pytest.mark.parametrize("dpi", [72, 96, 300])
def test_a_screen_s_resolution_is_no_scale(tmp_path: Path, dpi: int) -> None:
    for name in ("a.png", "a.jpg", "a.tif"):
        Image.fromarray(NOISE).save(tmp_path / name, dpi=(dpi, dpi))
        with pytest.raises(MissingScale, match=rf"{name}.*--mpp"):
            open_slide(tmp_path / name)


def test_a_given_scale_goes_first_and_warns_where_it_contradicts(tmp_path: Path) -> None:
    path = write_pyramid(tmp_path / "half.tif", NOISE, ())
    with open_slide(path, mpp=0.51) as slide:
        assert (slide.mpp, slide.warnings) == (0.51, ())
    with open_slide(path, mpp=0.25) as slide:
        assert slide.mpp == 0.25
        assert [warning.code for warning in slide.warnings] == ["SCALE_OVERRIDDEN"]


@pytest.mark.parametrize("mpp", [0.0, -0.5, float("nan"), float("inf"), 1e9])
def test_an_absurd_given_scale_is_refused(tmp_path: Path, mpp: float) -> None:
    path = write_pyramid(tmp_path / "half.tif", NOISE, ())
    with pytest.raises(InvalidInput):
        open_slide(path, mpp=mpp)


def test_pixels_that_are_not_square(tmp_path: Path) -> None:
    def write(across: int) -> Path:
        path = tmp_path / "skewed.tif"
        tifffile.imwrite(
            path, NOISE, photometric="rgb", resolution=(across, 20000), resolutionunit="CENTIMETER"
        )
        return path

    with open_slide(write(20500)) as slide:
        assert [warning.code for warning in slide.warnings] == ["PIXELS_NOT_SQUARE"]
    with pytest.raises(InvalidInput, match="not square"):
        open_slide(write(40000))
    with open_slide(write(40000), mpp=0.5) as slide:
        assert slide.mpp == 0.5


def test_regions_not_on_the_slide_are_refused(tmp_path: Path) -> None:
    path = write_pyramid(tmp_path / "a.tif", NOISE, ())
    with open_slide(path) as slide:
        for box in ((0, 0, 211, 10), (200, 0, 20, 10), (0, 149, 5, 2), (500, 500, 5, 5)):
            with pytest.raises(InvalidInput, match=r"^region.*210 x 150"):
                slide.read(Region(*box, mpp=0.5), 0.5)
        for box in ((0, 0, 0, 10), (0, 0, 10, -1), (-1, 0, 5, 5)):
            with pytest.raises(InvalidInput, match=r"^region"):
                slide.region(*box)


def test_a_read_over_the_limit_is_refused(tmp_path: Path) -> None:
    path = write_pyramid(tmp_path / "a.tif", NOISE, ())
    with open_slide(path, max_pixels=10_000) as slide:
        with pytest.raises(LimitExceeded, match="max_pixels of 10000"):
            slide.read(slide.whole(), 0.5)
        assert slide.read(slide.whole(), 2.0).shape == (38, 52, 3)


def test_a_file_that_unpacks_as_a_whole_is_refused_over_the_limit(tmp_path: Path) -> None:
    Image.fromarray(NOISE).save(tmp_path / "a.png")
    tifffile.imwrite(tmp_path / "a.tif", NOISE, photometric="rgb", compression="zlib",
                     rowsperstrip=150)  # fmt: skip
    for name in ("a.png", "a.tif"):
        with pytest.raises(LimitExceeded, match=name):
            open_slide(tmp_path / name, mpp=0.5, max_pixels=10_000)


def test_what_cannot_be_opened_names_the_path(tmp_path: Path) -> None:
    (tmp_path / "text.svs").write_text("no slide")
    (tmp_path / "empty.png").write_bytes(b"")
    (tmp_path / "cut.tif").write_bytes(b"II*\0\10\0\0\0")
    (tmp_path / "folder.tif").mkdir()
    for name in ("absent.tif", "text.svs", "empty.png", "cut.tif", "folder.tif"):
        with pytest.raises(InvalidInput) as caught:
            open_slide(tmp_path / name, mpp=0.5)
        assert caught.value.field == str(tmp_path / name)


@pytest.mark.parametrize("compression", [None, "zlib", "jpeg"])
def test_a_truncated_tiff_is_refused_not_filled_in(tmp_path: Path, compression: str | None) -> None:
    whole, cut = tmp_path / "whole.tif", tmp_path / "cut.tif"
    tifffile.imwrite(whole, NOISE, photometric="rgb", tile=(64, 64), compression=compression)
    data = whole.read_bytes()
    cut.write_bytes(data[: len(data) * 2 // 3])
    with pytest.raises(InvalidInput, match=r"cut\.tif"), open_slide(cut, mpp=0.5) as slide:
        slide.read(slide.whole(), 0.5)


def test_an_image_stack_is_refused_or_warned_about(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "channels.ome.tif", NOISE[:, :, 0][None].repeat(4, 0),
                     metadata={"axes": "CYX"})  # fmt: skip
    with pytest.raises(InvalidInput, match="axes"):
        open_slide(tmp_path / "channels.ome.tif", mpp=0.5)
    tifffile.imwrite(tmp_path / "pages.tif", np.stack([NOISE, NOISE // 2]), photometric="rgb",
                     metadata=None)  # fmt: skip
    with open_slide(tmp_path / "pages.tif", mpp=0.5) as slide:
        np.testing.assert_array_equal(slide.read(slide.whole(), 0.5), NOISE)
        assert "2 images" in slide.warnings[0].message


def test_an_aperio_slide(shared: Path) -> None:
    path = shared / "slides" / "CMU-1-Small-Region.svs"
    with open_slide(path) as slide:
        assert (slide.width, slide.height) == (2220, 2967)
        assert slide.mpp == pytest.approx(0.499)
        region = slide.region(300, 400, 256, 200)
        full = slide.read(region, slide.mpp)
        expected = tifffile.imread(path)[400:600, 300:556]
        # Two JPEG decoders differ by a few grey values, a shift by one pixel would by dozens.
        assert np.abs(full.astype(int) - expected).mean() < 3
        half = slide.read(region, slide.mpp * 2)
        blocks = full.reshape(100, 2, 128, 2, 3).mean(axis=(1, 3))
        assert np.abs(half - blocks).max() <= 0.5 + 1e-9


def test_a_pyramidal_slide_without_a_believable_scale(shared: Path) -> None:
    path = shared / "slides" / "CropBreastSlide.tiff"
    with pytest.raises(MissingScale):
        open_slide(path)
    with open_slide(path, mpp=0.5) as slide:
        assert (slide.width, slide.height) == (2033, 1525)
        region = slide.region(200, 100, 1200, 960)
        near, far = slide.read(region, 0.5), slide.read(region, 4.0)
        blocks = near.reshape(120, 8, 150, 8, 3).mean(axis=(1, 3))
        assert far.shape == blocks.shape
        aligned = np.abs(far - blocks).mean()
        shifted = min(
            np.abs(far[:, 1:] - blocks[:, :-1]).mean(), np.abs(far[:, :-1] - blocks[:, 1:]).mean()
        )
        # Its levels are sharpened, so that they are not the plain averages of level 0.
        assert aligned < shifted / 2
