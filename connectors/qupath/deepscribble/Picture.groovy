package deepscribble

import groovy.transform.CompileStatic
import java.awt.Color
import java.awt.Graphics2D
import java.awt.image.BufferedImage
import javax.imageio.ImageIO
import qupath.lib.images.ImageData
import qupath.lib.images.servers.ImageServer
import qupath.lib.images.servers.PixelCalibration
import qupath.lib.regions.RegionRequest

/** The image on the screen: how large its pixels are, and the pixels of an area for the model. */
@CompileStatic
class Picture {

    final int width
    final int height

    /** Micrometres per level-0 pixel. */
    final double mpp

    private final ImageServer<BufferedImage> pixels

    Picture(ImageData<BufferedImage> image) {
        pixels = image.server
        width = pixels.width
        height = pixels.height
        PixelCalibration calibration = pixels.pixelCalibration
        if (!calibration.hasPixelSizeMicrons()) {
            throw new Trouble(
                "QuPath does not know how large the pixels of this image are, and the model " +
                'must not guess.\n\nOpen the Image tab, double-click "Pixel width" and give the ' +
                'µm per pixel: about 0.25 for a scan at 40x, about 0.5 at 20x.'
            )
        }
        if (!pixels.isRGB()) {
            throw new Trouble(
                'This is no image in red, green and blue with 8 bits each, so the model cannot ' +
                'read it: it was trained on stained sections in bright field.'
            )
        }
        mpp = calibration.averagedPixelSizeMicrons
    }

    /** Level-0 pixels for one pixel at this scale; never below 1, since there is nothing finer. */
    double downsample(double modelMpp) {
        return Math.max(1d, modelMpp / mpp)
    }

    /** Whether the image's pixels still are as large as they were when this was made. */
    boolean isCurrent() {
        return pixels.pixelCalibration.averagedPixelSizeMicrons == mpp
    }

    /** The area as a PNG file at this scale, edge to edge. */
    byte[] png(Area area, double downsample) {
        BufferedImage read = read(RegionRequest.createInstance(
            pixels.path, downsample, area.x, area.y, area.width, area.height, area.z, area.t
        ))
        // Scanners leave the glass transparent, which would turn black.
        BufferedImage plain = new BufferedImage(read.width, read.height, BufferedImage.TYPE_INT_RGB)
        Graphics2D brush = plain.createGraphics()
        brush.drawImage(read, 0, 0, Color.WHITE, null)
        brush.dispose()
        ByteArrayOutputStream file = new ByteArrayOutputStream()
        ImageIO.write(plain, 'PNG', file)
        return file.toByteArray()
    }

    private BufferedImage read(RegionRequest request) {
        BufferedImage found = null
        IOException cause = null
        try {
            found = pixels.readRegion(request)
        } catch (IOException error) {
            cause = error
        }
        if (found == null) {
            throw new Trouble(
                "QuPath could not read the pixels at ${request.x}, ${request.y} " +
                "(${cause?.message ?: 'nothing came'}).\n\nHas the image\'s file moved, or is its " +
                'disk not connected?', '', cause
            )
        }
        return found
    }
}
