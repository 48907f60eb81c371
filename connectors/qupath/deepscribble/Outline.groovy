package deepscribble

import groovy.transform.CompileStatic
import org.locationtech.jts.geom.Coordinate
import org.locationtech.jts.geom.Geometry
import org.locationtech.jts.geom.LineString
import org.locationtech.jts.geom.util.LinearComponentExtracter
import qupath.lib.geom.Point2
import qupath.lib.objects.PathObject
import qupath.lib.objects.PathROIObject
import qupath.lib.objects.hierarchy.PathObjectHierarchy
import qupath.lib.regions.ImagePlane
import qupath.lib.roi.PolygonROI
import qupath.lib.roi.interfaces.ROI

/** The outline of an area among the image's annotations. Nothing else is ever touched. */
@CompileStatic
class Outline {

    /** How far, level-0 pixels, QuPath may move a vertex, and how far bounds may move with it. */
    private static final double ROUNDING = 0.02d
    private static final double EDGE = 0.1d

    private static final String SHAPE = Classes.PREFIX + 'shape'
    private static final String STROKES = Classes.PREFIX + 'strokes'

    /** The area that the scripts drew in, and the one that "deepscribble annotate" drew in. */
    private static final String REGION = Classes.PREFIX + 'region'
    private static final String PART = Classes.PREFIX + 'part'

    /** What is said of a stroke that `show` returns. */
    static final String UNHEEDED =
        'A stroke changes nothing where a result lies that is locked, was edited by hand, or ' +
        'reaches beyond the area around the stroke: such a result stays as it is. Unlock it, ' +
        'delete it, or draw a region around all of it.'

    private final PathObjectHierarchy hierarchy
    private final Area area
    private final String className

    /** @param className the class of the outline */
    Outline(PathObjectHierarchy hierarchy, Area area, String className) {
        this.hierarchy = hierarchy
        this.area = area
        this.className = className
    }

    /** The areas in which outlines of this image were drawn, so far as they still show. */
    static Set<Area> areas(Collection<PathObject> annotations) {
        Set<Area> found = new LinkedHashSet<Area>()
        for (PathObject annotation : annotations) {
            if (Classes.isOurs(annotation)) {
                Area area = Area.parse(annotation.metadata[REGION]) ?:
                    Area.parse(annotation.metadata[PART])
                if (area != null) {
                    found.add(area)
                }
            }
        }
        return found
    }

    /** Ids of the strokes that outlines of this image came of, in the order they were drawn. */
    static List<UUID> strokes(Collection<PathObject> annotations) {
        List<String> longest = annotations.findAll { PathObject it -> Classes.isOurs(it) }
            .collect { PathObject it -> "${it.metadata[STROKES] ?: ''}".tokenize(',') }
            .max { List<String> ids -> ids.size() } ?: []
        return longest.findAll { String id -> id ==~ /[0-9a-f-]{36}/ }
            .collect { String id -> UUID.fromString(id) }
    }

    /** The annotations that may be replaced, by their ids. */
    Map<UUID, PathObject> shown() {
        Map<UUID, PathObject> mine = new LinkedHashMap<UUID, PathObject>()
        for (PathObject annotation : hierarchy.annotationObjects) {
            if (isFree(annotation)) {
                mine[annotation.ID] = annotation
            }
        }
        return mine
    }

    private boolean isFree(PathObject annotation) {
        return Classes.isOurs(annotation) && !annotation.isLocked() && annotation.hasROI() &&
            area.contains(annotation.ROI) && isAsWritten(annotation)
    }

    /** What a hand has edited since is the pathologist's, not ours: area and bounds tell. */
    private static boolean isAsWritten(PathObject annotation) {
        List<String> said = "${annotation.metadata[SHAPE] ?: ''}".tokenize(' ')
        if (said.size() != 5 || !said.every { String number -> number.isDouble() }) {
            return false
        }
        ROI roi = annotation.ROI
        List<Double> bounds = [
            roi.boundsX, roi.boundsY, roi.boundsX + roi.boundsWidth, roi.boundsY + roi.boundsHeight
        ]
        boolean inPlace = (0..3).every { int side ->
            Math.abs(bounds[side] - said[side + 1].toDouble()) <= EDGE
        }
        return inPlace && Math.abs(roi.getArea() - said[0].toDouble()) <= slack(roi)
    }

    /** Whether most of it lies in results that a person locked or edited: these are right there. */
    private static boolean isCovered(PathObject annotation, Collection<PathObject> theirs) {
        ROI roi = annotation.ROI
        return theirs.any { PathObject it ->
            it.pathClass == annotation.pathClass &&
                it.ROI.geometry.intersection(roi.geometry).area >= roi.getArea() / 2
        }
    }

    /** The strokes that have no effect because of results that stay, and what was left out for them. */
    private List<Stroke> unheeded(
        List<Stroke> drawn, Collection<PathObject> theirs, Collection<PathObject> left
    ) {
        Collection<PathObject> staying = theirs.findAll { PathObject it ->
            it.pathClass?.toString() == className
        }
        return drawn.findAll { Stroke stroke ->
            Geometry line = stroke.roi.geometry
            stroke.tumor ?
                left.any { PathObject it -> it.ROI.geometry.intersects(line) } &&
                    !staying.any { PathObject it -> it.ROI.geometry.covers(line) } :
                staying.any { PathObject it -> it.ROI.geometry.intersects(line) }
        } as List<Stroke>
    }

    /** How much rounding may change an area, square level-0 pixels. */
    private static double slack(ROI roi) {
        double squares = 0
        for (List<Point2> ring : rings(roi)) {
            for (int index = 1; index < ring.size(); index++) {
                squares += Math.pow(ring[index].distance(ring[index - 1]), 2)
            }
        }
        return 2 * ROUNDING * Math.sqrt(squares) + 0.1d
    }

    private static List<List<Point2>> rings(ROI roi) {
        if (roi instanceof PolygonROI) {
            // Its geometry costs time, and in QuPath 0.6 may lack what lies behind a narrow neck.
            return [roi.allPoints]
        }
        return LinearComponentExtracter.getLines(roi.geometry).collect { Object line ->
            ((LineString) line).coordinates.collect { Coordinate it -> new Point2(it.x, it.y) }
        }
    }

    /**
     * Show an answer, as one change of the image.
     *
     * @param drawn the strokes that it answers
     * @param obeyed strokes that are put away in the same change
     * @return the strokes that change nothing, because results that must stay are in their way
     */
    List<Stroke> show(Answer answer, List<Stroke> drawn, Collection<PathObject> obeyed = []) {
        Map<UUID, PathObject> mine = shown()
        Set<UUID> came = answer.annotations.collect { PathObject it -> it.ID } as Set<UUID>
        List<PathObject> gone = mine.values().findAll { PathObject it ->
            answer.removed == null ? !came.contains(it.ID) : answer.removed.contains(it.ID)
        } as List<PathObject>
        Collection<PathObject> theirs = hierarchy.annotationObjects.findAll { PathObject it ->
            Classes.isOurs(it) && it.hasROI() && !isFree(it) && area.overlaps(it.ROI)
        }
        Set<UUID> stay = hierarchy.annotationObjects.collect { PathObject it -> it.ID } as Set<UUID>
        stay.removeAll(gone.collect { PathObject it -> it.ID })
        // What is already there under this id is either the same polygon, or locked or edited.
        List<PathObject> fresh = answer.annotations.findAll { PathObject it -> !stay.contains(it.ID) }
        List<PathObject> left = fresh.findAll { PathObject it -> isCovered(it, theirs) }
        fresh.removeAll(left)
        List<Stroke> unheeded = unheeded(drawn, theirs, left)
        if (gone.isEmpty() && fresh.isEmpty() && obeyed.isEmpty()) {
            return unheeded
        }
        hierarchy.selectionModel.deselectObjects(gone)
        gone.each { PathObject it -> hierarchy.removeObjectWithoutUpdate(it, true) }
        came.each { UUID id ->
            PathObject kept = mine[id]
            if (kept != null) {
                // It is no longer what "deepscribble annotate" may take away with its region.
                kept.metadata.remove(PART)
                kept.metadata.put(REGION, area.toString())
            }
        }
        fresh.each { PathObject it ->
            it.metadata.put(REGION, area.toString())
            if (area.z != 0 || area.t != 0) {
                onPlane((PathROIObject) it)
            }
            hierarchy.addObject(it, false)
        }
        obeyed.each { PathObject it -> it.pathClass = Classes.putAway(it.pathClass) }
        hierarchy.fireHierarchyChangedEvent(this)
        return unheeded
    }

    /** The server knows no planes; what it measured holds on each, but QuPath drops it on moving. */
    private void onPlane(PathROIObject result) {
        Map<String, Number> measured = new LinkedHashMap<String, Number>(result.measurements)
        result.setROI(result.ROI.updatePlane(ImagePlane.getPlane(area.z, area.t)))
        result.measurements.putAll(measured)
    }
}
