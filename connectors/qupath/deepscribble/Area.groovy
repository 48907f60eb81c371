package deepscribble

import groovy.transform.CompileStatic
import groovy.transform.EqualsAndHashCode
import java.awt.geom.Rectangle2D
import qupath.lib.roi.interfaces.ROI

/** A rectangle of the image in level-0 pixels: what an outline is drawn in. Never changes. */
@CompileStatic
@EqualsAndHashCode
class Area {

    final int x
    final int y
    final int width
    final int height
    final int z
    final int t

    Area(int x, int y, int width, int height, int z = 0, int t = 0) {
        this.x = x
        this.y = y
        this.width = width
        this.height = height
        this.z = z
        this.t = t
    }

    /** The smallest area around a shape, with so much to spare, as far as the image goes. */
    static Area around(ROI roi, double spare, int imageWidth, int imageHeight) {
        Rectangle2D bounds = new Rectangle2D.Double(
            roi.boundsX - spare, roi.boundsY - spare,
            roi.boundsWidth + 2 * spare, roi.boundsHeight + 2 * spare
        )
        return around(bounds, roi.z, roi.t, imageWidth, imageHeight)
    }

    static Area around(Rectangle2D bounds, int z, int t, int imageWidth, int imageHeight) {
        int x = Math.max(0, Math.floor(bounds.minX) as int)
        int y = Math.max(0, Math.floor(bounds.minY) as int)
        int right = Math.min(imageWidth, Math.ceil(bounds.maxX) as int)
        int bottom = Math.min(imageHeight, Math.ceil(bounds.maxY) as int)
        return new Area(x, y, Math.max(0, right - x), Math.max(0, bottom - y), z, t)
    }

    /**
     * What `toString` wrote, or the same without z and t, which are 0 then; null where it is
     * something else.
     */
    static Area parse(String text) {
        List<String> parts = text ? Arrays.asList(text.split(',')) : []
        if (!(parts.size() in [4, 6]) || !parts.every { String part -> part.isInteger() }) {
            return null
        }
        List<Integer> n = parts.collect { String part -> part.toInteger() }
        return n.size() == 4 ?
            new Area(n[0], n[1], n[2], n[3]) : new Area(n[0], n[1], n[2], n[3], n[4], n[5])
    }

    @Override
    String toString() {
        return "${x},${y},${width},${height},${z},${t}"
    }

    boolean isEmpty() {
        return width < 1 || height < 1
    }

    /** A square on the middle of this area, at least this wide, moved to lie within the image. */
    Area squared(double side, int imageWidth, int imageHeight) {
        int wide = Math.min(imageWidth, Math.max(width, Math.ceil(side) as int))
        int high = Math.min(imageHeight, Math.max(height, Math.ceil(side) as int))
        int left = Math.max(0, Math.min(imageWidth - wide, x + ((width - wide) >> 1)))
        int top = Math.max(0, Math.min(imageHeight - high, y + ((height - high) >> 1)))
        return new Area(left, top, wide, high, z, t)
    }

    /** Whether a shape lies in it, give or take the rounding of coordinates. */
    boolean contains(ROI roi) {
        double slack = 0.05d
        return roi.z == z && roi.t == t &&
            roi.boundsX >= x - slack && roi.boundsY >= y - slack &&
            roi.boundsX + roi.boundsWidth <= x + width + slack &&
            roi.boundsY + roi.boundsHeight <= y + height + slack
    }

    boolean contains(Area other) {
        return union(other) == this
    }

    boolean overlaps(ROI roi) {
        return overlaps(around(roi, 0, Integer.MAX_VALUE, Integer.MAX_VALUE))
    }

    boolean overlaps(Area other) {
        return other.z == z && other.t == t &&
            other.x < x + width && x < other.x + other.width &&
            other.y < y + height && y < other.y + other.height
    }

    /** The smallest area around both. */
    Area union(Area other) {
        if (other.z != z || other.t != t) {
            return other
        }
        int left = Math.min(x, other.x)
        int top = Math.min(y, other.y)
        int right = Math.max(x + width, other.x + other.width)
        int bottom = Math.max(y + height, other.y + other.height)
        return new Area(left, top, right - left, bottom - top, z, t)
    }
}
