package deepscribble

import com.google.gson.JsonArray
import com.google.gson.JsonObject
import groovy.transform.CompileStatic
import org.locationtech.jts.geom.Coordinate
import org.locationtech.jts.geom.Geometry
import org.locationtech.jts.geom.LineString
import org.locationtech.jts.geom.Point
import org.locationtech.jts.geom.Polygon
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
        Geometry geometry = roi.geometry
        JsonArray parts = new JsonArray()
        List<Double> points = []
        boolean area = roi.isArea()
        for (int index = 0; index < geometry.numGeometries; index++) {
            Geometry part = geometry.getGeometryN(index)
            if (part instanceof Point) {
                points.addAll([((Point) part).x, ((Point) part).y])
            } else if (part instanceof Polygon) {
                Polygon polygon = (Polygon) part
                parts.add(path(polygon.exteriorRing, tolerance, true))
                for (int hole = 0; hole < polygon.numInteriorRing; hole++) {
                    parts.add(path(polygon.getInteriorRingN(hole), tolerance, true))
                }
            } else if (part instanceof LineString) {
                parts.add(path((LineString) part, tolerance, false))
            }
        }
        JsonObject held = new JsonObject()
        if (area) {
            held.add('rings', parts)
            message.add('brush', held)
        } else if (points) {
            held.add('points', packed(points))
            message.add('points', held)
        } else {
            held.add('lines', parts)
            message.add('polyline', held)
        }
    }

    private static JsonObject path(LineString line, double tolerance, boolean ring) {
        Geometry simple = DouglasPeuckerSimplifier.simplify(line, tolerance)
        // A small ring may collapse, and a closed line may lose its middle.
        boolean collapsed = simple.numPoints < (ring ? 4 : 2)
        Coordinate[] corners = (collapsed ? line : simple).coordinates
        int count = ring ? corners.length - 1 : corners.length
        List<Double> points = []
        for (int index = 0; index < count; index++) {
            points.addAll([corners[index].x, corners[index].y])
        }
        return packed(points)
    }

    /** x0, y0, x1, y1, ... in hundredths of a pixel, which is what QuPath itself keeps. */
    private static JsonObject packed(List<Double> points) {
        JsonArray xy = new JsonArray()
        points.each { Double value -> xy.add(Math.round(value * 100d) / 100d) }
        JsonObject path = new JsonObject()
        path.add('xy', xy)
        return path
    }
}
