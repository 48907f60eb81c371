package deepscribble

import com.google.gson.JsonArray
import com.google.gson.JsonObject
import groovy.transform.CompileStatic
import org.locationtech.jts.geom.Coordinate
import org.locationtech.jts.geom.Geometry
import org.locationtech.jts.geom.LineString
import org.locationtech.jts.geom.util.LinearComponentExtracter
import org.locationtech.jts.simplify.DouglasPeuckerSimplifier
import qupath.lib.objects.PathObject
import qupath.lib.roi.interfaces.ROI

/** One stroke of the pathologist, as QuPath has it and as the server takes it. Never changes. */
@CompileStatic
class Stroke {

    final UUID id
    final boolean tumor
    final ROI roi

    /** The stroke as the contract's message. */
    final JsonObject message

    /** The message as text: two strokes that say the same are equal in it. */
    final String text

    /**
     * @param tolerance how far, level-0 pixels, a drawn line may be moved to save vertices. The hand
     *     sets one for every few pixels of the screen, which is more than the model can see.
     */
    Stroke(PathObject drawn, boolean tumor, double tolerance) {
        this.id = drawn.ID
        this.tumor = tumor
        this.roi = drawn.ROI
        this.message = new JsonObject()
        message.addProperty('id', id.toString())
        message.addProperty('label', tumor ? 'LABEL_FOREGROUND' : 'LABEL_BACKGROUND')
        message.addProperty('width', width(drawn))
        geometry(tolerance)
        this.text = message.toString()
    }

    /** Whether an annotation still is this stroke: QuPath gives an edited one another ROI. */
    boolean isStill(PathObject drawn, boolean tumor) {
        return drawn.ROI.is(roi) && this.tumor == tumor
    }

    private static double width(PathObject drawn) {
        Number said = drawn.measurements['stroke width']
        return said == null ? 1d : said.doubleValue()
    }

    private void geometry(double tolerance) {
        JsonObject held = new JsonObject()
        if (roi.isPoint()) {
            held.add('points', packed(roi.geometry.coordinates))
            message.add('points', held)
            return
        }
        JsonArray paths = new JsonArray()
        for (Object line : LinearComponentExtracter.getLines(roi.geometry)) {
            paths.add(path((LineString) line, tolerance))
        }
        held.add(roi.isArea() ? 'rings' : 'lines', paths)
        message.add(roi.isArea() ? 'brush' : 'polyline', held)
    }

    private JsonObject path(LineString line, double tolerance) {
        Geometry simple = DouglasPeuckerSimplifier.simplify(line, tolerance)
        // A ring as small as the tolerance would collapse.
        Coordinate[] corners = (simple.numPoints < (roi.isArea() ? 4 : 2) ? line : simple).coordinates
        return packed(roi.isArea() ? Arrays.copyOf(corners, corners.length - 1) : corners)
    }

    /** x0, y0, x1, y1, ... in hundredths of a pixel, which is what QuPath itself keeps. */
    private static JsonObject packed(Coordinate[] points) {
        JsonArray xy = new JsonArray()
        for (Coordinate point : points) {
            xy.add(Math.round(point.x * 100d) / 100d)
            xy.add(Math.round(point.y * 100d) / 100d)
        }
        JsonObject path = new JsonObject()
        path.add('xy', xy)
        return path
    }
}
