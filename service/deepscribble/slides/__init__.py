"""Reading regions of slides, and of plain images, at a wanted µm per pixel."""

from deepscribble.slides.decode import Decoded, decode_image
from deepscribble.slides.files import slide_files
from deepscribble.slides.slide import MAX_PIXELS, Slide, open_slide

__all__ = ["MAX_PIXELS", "Decoded", "Slide", "decode_image", "open_slide", "slide_files"]
