package deepscribble

import groovy.transform.CompileStatic
import qupath.lib.objects.PathObject
import qupath.lib.objects.PathROIObject
import qupath.lib.objects.hierarchy.PathObjectHierarchy
import qupath.lib.regions.ImagePlane
import qupath.lib.roi.interfaces.ROI

/** The outline of an area among the image's annotations. Nothing else is ever touched. */
@CompileStatic
class Outline {

    private static final String SHAPE = Classes.PREFIX + 'shape'
    private static final String STROKES = Classes.PREFIX + 'strokes'
    private static final String REGION = Classes.PREFIX + 'region'

    private final PathObjectHierarchy hierarchy
    private final Area area

    Outline(PathObjectHierarchy hierarchy, Area area) {
        this.hierarchy = hierarchy
        this.area = area
    }

    /** The areas in which outlines of this image were drawn, so far as they still show. */
    static Set<Area> areas(Collection<PathObject> annotations) {
        Set<Area> found = new LinkedHashSet<Area>()
        for (PathObject annotation : annotations) {
            if (Classes.isOurs(annotation)) {
                Area area = Area.parse(annotation.metadata[REGION])
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

    /** What a hand has edited since is the pathologist's, not ours. */
    private static boolean isAsWritten(PathObject annotation) {
        String said = annotation.metadata[SHAPE]
        List<String> numbers = said ? Arrays.asList(said.split(' ')) : []
        if (numbers.size() != 3 || !numbers.every { String number -> number.isDouble() }) {
            return false
        }
        ROI roi = annotation.ROI
        // QuPath keeps coordinates to a hundredth of a pixel.
        double slack = 0.02d * (roi.length + 1)
        double moved = Math.hypot(
            roi.centroidX - numbers[1].toDouble(), roi.centroidY - numbers[2].toDouble()
        )
        return Math.abs(roi.getArea() - numbers[0].toDouble()) <= slack &&
            moved <= Math.max(0.1d, slack / Math.max(roi.getArea(), 1d))
    }

    /**
     * Show an answer, as one change of the image.
     *
     * @param obeyed strokes that are put away in the same change
     */
    void show(Answer answer, Collection<PathObject> obeyed = []) {
        Map<UUID, PathObject> mine = shown()
        Set<UUID> came = answer.annotations.collect { PathObject it -> it.ID } as Set<UUID>
        List<PathObject> gone = mine.values().findAll { PathObject it ->
            answer.removed == null ? !came.contains(it.ID) : answer.removed.contains(it.ID)
        } as List<PathObject>
        Set<UUID> stay = hierarchy.annotationObjects.collect { PathObject it -> it.ID } as Set<UUID>
        stay.removeAll(gone.collect { PathObject it -> it.ID })
        // What is already there under this id is either the same polygon, or locked or edited.
        List<PathObject> fresh = answer.annotations.findAll { PathObject it -> !stay.contains(it.ID) }
        if (gone.isEmpty() && fresh.isEmpty() && obeyed.isEmpty()) {
            return
        }
        hierarchy.selectionModel.deselectObjects(gone)
        gone.each { PathObject it -> hierarchy.removeObjectWithoutUpdate(it, true) }
        fresh.each { PathObject it ->
            it.metadata.put(REGION, area.toString())
            if (area.z != 0 || area.t != 0) {
                ((PathROIObject) it).setROI(it.ROI.updatePlane(ImagePlane.getPlane(area.z, area.t)))
            }
            hierarchy.addObject(it, false)
        }
        obeyed.each { PathObject it -> it.pathClass = Classes.putAway(it.pathClass) }
        hierarchy.fireHierarchyChangedEvent(this)
    }
}
