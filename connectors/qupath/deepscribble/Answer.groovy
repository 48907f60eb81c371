package deepscribble

import com.google.gson.JsonArray
import com.google.gson.JsonElement
import com.google.gson.JsonObject
import groovy.transform.CompileStatic
import org.locationtech.jts.geom.Coordinate
import org.locationtech.jts.geom.GeometryFactory
import org.locationtech.jts.geom.LinearRing
import org.locationtech.jts.geom.Polygon
import qupath.lib.io.GsonTools
import qupath.lib.objects.PathObject
import qupath.lib.objects.PathROIObject
import qupath.lib.regions.ImagePlane
import qupath.lib.roi.GeometryTools

/** An outline that the server drew, or what changed in it. Never changes. */
@CompileStatic
class Answer {

    private static final GeometryFactory EXACT = new GeometryFactory()

    /** The annotations that came. */
    final List<PathObject> annotations

    /** The annotations that are gone; null where those that came are the whole outline. */
    final Set<UUID> removed

    /** How the server knows this outline. */
    final String outlineId

    /** What was clipped, left out or assumed, in sentences. */
    final List<String> warnings

    Answer(JsonObject body, ImagePlane plane) {
        annotations = body.getAsJsonArray('features').collect { JsonElement feature ->
            annotation(feature.asJsonObject, plane)
        }
        outlineId = body.get('outlineId').asString
        removed = !body.has('removed') ? null : body.getAsJsonArray('removed')
            .collect { JsonElement id -> UUID.fromString(id.asString) } as Set<UUID>
        warnings = body.getAsJsonArray('warnings').collect { JsonElement warning ->
            warning.asJsonObject.get('message').asString
        }
    }

    /**
     * QuPath reads all but the shape: 0.6 lays it on a grid of hundredths of a pixel, and a polygon
     * that is narrow somewhere loses what lies beyond.
     */
    private static PathObject annotation(JsonObject feature, ImagePlane plane) {
        PathObject read = GsonTools.getInstance().fromJson(feature, PathObject)
        JsonArray rings = feature.getAsJsonObject('geometry').getAsJsonArray('coordinates')
        List<LinearRing> drawn = rings.collect { JsonElement points ->
            ring(points.asJsonArray)
        }
        Polygon polygon = EXACT.createPolygon(drawn.head(), drawn.tail() as LinearRing[])
        ((PathROIObject) read).setROI(GeometryTools.geometryToROI(polygon, plane))
        return read
    }

    private static LinearRing ring(JsonArray points) {
        return EXACT.createLinearRing(points.collect { JsonElement point ->
            JsonArray xy = point.asJsonArray
            new Coordinate(xy.get(0).asDouble, xy.get(1).asDouble)
        } as Coordinate[])
    }
}
