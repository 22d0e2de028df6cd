import io

import numpy as np
import pytest
from PIL import Image

from ganutils.data import pictures
from ganutils.data.pictures import decode


def saved(image, form="PNG", **options):
    buffer = io.BytesIO()
    image.save(buffer, form, **options)
    return buffer.getvalue()


def colour(content, size=4):
    """Return the colour of a picture of one colour."""
    pixels = decode(content, size)
    assert pixels.shape == (3, size, size)
    assert pixels.dtype == np.uint8
    assert (pixels == pixels[:, :1, :1]).all()
    return tuple(pixels[:, 0, 0].tolist())


def test_modes_become_rgb():
    assert colour(saved(Image.new("RGB", (4, 4), (10, 20, 30)))) == (10, 20, 30)
    assert colour(saved(Image.new("L", (4, 4), 77))) == (77, 77, 77)
    assert colour(saved(Image.new("1", (4, 4), 1))) == (255, 255, 255)
    assert colour(saved(Image.new("RGB", (4, 4), (10, 20, 30)).quantize(4))) == (10, 20, 30)
    assert colour(saved(Image.new("CMYK", (4, 4), (0, 255, 255, 0)), "TIFF")) == (255, 0, 0)
    assert colour(saved(Image.new("RGB", (4, 4), (1, 2, 3)), "WEBP", lossless=True)) == (1, 2, 3)
    assert colour(saved(Image.new("RGB", (4, 4), (1, 2, 3)), "PPM")) == (1, 2, 3)


@pytest.mark.parametrize("form", ["PNG", "TIFF", "PPM"])
@pytest.mark.parametrize(("deep", "shallow"), [(0, 0), (128, 0), (129, 1), (257 * 90, 90), (65535, 255)])
def test_sixteen_bits_are_scaled_with_rounding(form, deep, shallow):
    image = Image.fromarray(np.full((4, 4), deep, np.uint16))
    assert colour(saved(image, form)) == (shallow,) * 3


def test_transparency_is_composited_on_white():
    assert colour(saved(Image.new("RGBA", (4, 4), (200, 0, 100, 0)))) == (255, 255, 255)
    half = colour(saved(Image.new("RGBA", (4, 4), (200, 0, 100, 102))))  # opacity 0.4
    assert np.allclose(half, [0.4 * value + 0.6 * 255 for value in (200, 0, 100)], atol=1)
    assert colour(saved(Image.new("LA", (4, 4), (0, 51)))) == (204, 204, 204)
    palette = Image.new("P", (4, 4), 0)
    palette.putpalette([9, 9, 9, 50, 60, 70])
    assert colour(saved(palette, "GIF", transparency=0)) == (255, 255, 255)


def test_first_frame_of_an_animation():
    frames = [Image.new("RGB", (4, 4), shade) for shade in ("red", "blue")]
    assert colour(saved(frames[0], "GIF", save_all=True, append_images=frames[1:])) == (255, 0, 0)


def test_exif_rotation_is_applied():
    image = Image.new("RGB", (2, 2), "black")
    image.putpixel((0, 0), (255, 255, 255))
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees clockwise
    assert decode(saved(image, exif=exif), 2)[0].tolist() == [[0, 255], [0, 0]]


def test_centred_square_is_cut_out():
    image = Image.new("RGB", (10, 4), "red")
    image.paste("blue", (3, 0, 7, 4))
    assert colour(saved(image)) == (0, 0, 255)
    assert colour(saved(image.rotate(90, expand=True))) == (0, 0, 255)


def test_resizing_is_antialiased():
    stripes = np.zeros((64, 64, 3), np.uint8)
    stripes[:, ::2] = 255
    inner = decode(saved(Image.fromarray(stripes)), 8)[:, :, 1:-1]  # at the edges the kernel is cut off
    assert np.abs(inner - 127.5).max() <= 1


@pytest.mark.parametrize("form", ["ICO", "TGA", "PCX", "PDF"])
def test_other_formats_are_refused(form):
    with pytest.raises(Image.UnidentifiedImageError):
        decode(saved(Image.new("RGB", (16, 16)), form), 4)


def test_floating_point_pictures_are_refused():
    with pytest.raises(ValueError, match="no agreed range"):
        decode(saved(Image.new("F", (4, 4)), "TIFF"), 4)


def test_too_many_pixels_are_refused_before_decoding(monkeypatch):
    monkeypatch.setattr(pictures, "MAX_PIXELS", 15)
    with pytest.raises(ValueError, match="4x4 pixels, allowed are 15"):
        decode(saved(Image.new("RGB", (4, 4))), 4)
