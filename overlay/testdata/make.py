"""Makes testdata/made with Pillow 11 or later: python make.py"""
from pathlib import Path

from PIL import Image, ImageDraw, ImageOps

out = Path(__file__).parent / "made"
out.mkdir(exist_ok=True)

# Upright: red, green / blue, white.
size = (48, 32)
upright = Image.new("RGB", size, "white")
draw = ImageDraw.Draw(upright)
draw.rectangle([0, 0, 23, 15], fill=(230, 0, 0))
draw.rectangle([24, 0, 47, 15], fill=(0, 160, 0))
draw.rectangle([0, 16, 23, 31], fill=(0, 0, 230))

inverse = {
    1: None, 2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180, 4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE, 6: Image.Transpose.ROTATE_90, 7: Image.Transpose.TRANSVERSE, 8: Image.Transpose.ROTATE_270,
}


def lying(orientation):
    """The picture as stored, and the EXIF that puts it upright."""
    how = inverse[orientation]
    picture = upright.transpose(how) if how is not None else upright.copy()
    exif = Image.Exif()
    exif[0x0112] = orientation
    return picture, exif


for o in inverse:
    picture, exif = lying(o)
    picture.save(out / f"exif{o}.jpg", quality=95, subsampling=0, exif=exif)
    seen = ImageOps.exif_transpose(Image.open(out / f"exif{o}.jpg"))
    assert seen.size == size and seen.getpixel((2, 2))[0] > 220 and seen.getpixel((46, 2))[1] > 150
picture, exif = lying(6)
picture.save(out / "exif6.png", exif=exif)
picture.save(out / "exif6_lossless.webp", lossless=True, exif=exif)
picture.save(out / "exif6_lossy.webp", quality=95, exif=exif)
picture.save(out / "exif6.tiff", exif=exif)
picture.save(out / "exif6_lzw.tiff", compression="tiff_lzw", exif=exif)

upright.save(out / "lossy.webp", quality=90)
half = upright.convert("RGBA")
half.putalpha(Image.linear_gradient("L").resize(size))
half.save(out / "alpha_lossy.webp", quality=90)
half.save(out / "alpha.webp", lossless=True, exact=True)
half.save(out / "alpha.tiff")
upright.save(out / "animated.webp", save_all=True, append_images=[lying(3)[0]], lossless=True)
for compression in ("tiff_deflate", "packbits"):
    upright.save(out / f"{compression}.tiff", compression=compression)
upright.convert("P", palette=Image.Palette.ADAPTIVE).save(out / "palette.bmp")
upright.convert("RGBA").save(out / "rgba.bmp")
for photometric, name in ((0, "white_is_zero"), (1, "black_is_zero")):
    upright.convert("L").convert("1").save(out / f"fax_{name}.tiff", compression="group4", tiffinfo={262: photometric})


def gif(name, frame, at, screen, transparent=None):
    """A GIF whose first frame is smaller than its screen; Pillow writes none."""
    frame.save(out / name, **({} if transparent is None else {"transparency": transparent}))
    data = bytearray((out / name).read_bytes())
    data[6:10] = screen[0].to_bytes(2, "little") + screen[1].to_bytes(2, "little")
    descriptor = data.index(b"\x2c", 13 + 3 * 2 ** ((data[10] & 7) + 1))
    data[descriptor + 1:descriptor + 5] = at[0].to_bytes(2, "little") + at[1].to_bytes(2, "little")
    (out / name).write_bytes(data)


small = upright.convert("P", palette=Image.Palette.ADAPTIVE)
gif("part.gif", small, (10, 5), (64, 48))
gif("transparent.gif", small, (0, 0), size, transparent=small.getpixel((47, 31)))

# Lines as JPEG and WebP: a circle, which meets every kind of block.
ring = Image.new("RGB", (1024, 1024), "white")
ImageDraw.Draw(ring).ellipse([120, 180, 800, 860], outline=(230, 0, 0), width=12)
ring = ring.resize((256, 256), Image.Resampling.BOX)
ring.save(out / "ring.png")
for quality in (75, 85, 95):
    for subsampling, name in ((0, "444"), (2, "420")):
        ring.save(out / f"ring_q{quality}_{name}.jpg", quality=quality, subsampling=subsampling)
    ring.save(out / f"ring_q{quality}.webp", quality=quality)
