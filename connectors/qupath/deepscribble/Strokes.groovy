package deepscribble

import groovy.transform.CompileStatic
import qupath.lib.objects.PathObject
import qupath.lib.objects.hierarchy.PathObjectHierarchy
import qupath.lib.roi.interfaces.ROI

/** The strokes of an image, in the order they were drawn, and the areas that they belong to. */
@CompileStatic
class Strokes {

    /** Side of the square around a stroke that lies in no region, model pixels. */
    private static final double SIDE = 1024

    /** How far a stroke must stay from the border of such a square, model pixels. */
    private static final double MARGIN = 128

    /** How long a side such squares may grow to when they run into each other, model pixels. */
    private static final double LONGEST = 4096

    /** How far a stroke's line may be moved to save vertices, model pixels. */
    private static final double TOLERANCE = 0.25

    private final PathObjectHierarchy hierarchy
    private final Classes classes
    private final Picture picture
    private final double downsample

    private Map<UUID, Stroke> known = new LinkedHashMap<UUID, Stroke>()
    private List<Area> regions = []
    private List<Area> squares = []

    /** The annotations of the strokes, as of the last look. */
    private Map<UUID, PathObject> drawn = [:]

    /** Ids of the annotations that are outlines, as of the last look. */
    private Set<UUID> outlines = [] as Set<UUID>

    Strokes(PathObjectHierarchy hierarchy, Settings settings, Picture picture, double downsample) {
        this.hierarchy = hierarchy
        this.classes = new Classes(settings)
        this.picture = picture
        this.downsample = downsample
    }

    /**
     * Look at the image's annotations.
     *
     * @return the areas whose strokes are not what they were at the last look, the newest last
     */
    Set<Area> look() {
        List<PathObject> annotations = new ArrayList<PathObject>(hierarchy.annotationObjects)
        Map<UUID, Stroke> before = known
        Map<UUID, Stroke> now = [:]
        outlines = new HashSet<UUID>()
        regions = []
        drawn = [:]
        for (PathObject annotation : annotations) {
            if (Classes.isOurs(annotation)) {
                outlines.add(annotation.ID)
            } else if (classes.isRegion(annotation)) {
                regions.add(Area.around(annotation.ROI, 0, picture.width, picture.height))
            } else {
                Boolean tumor = classes.label(annotation)
                if (tumor != null) {
                    Stroke old = before[annotation.ID]
                    now[annotation.ID] = old != null && old.isStill(annotation, tumor) ?
                        old : new Stroke(annotation, tumor, TOLERANCE * downsample)
                    drawn[annotation.ID] = annotation
                }
            }
        }
        Outline.areas(annotations).each { Area area ->
            // "deepscribble annotate" rounds the edges of a region in its own way.
            if (!regions.any { Area it -> it.contains(area) }) {
                grow(area)
            }
        }
        known = inOrder(before, now, annotations)
        return changed(before)
    }

    /** Strokes keep the places that they have; new ones follow in the order of the annotations. */
    private Map<UUID, Stroke> inOrder(
        Map<UUID, Stroke> before, Map<UUID, Stroke> now, List<PathObject> annotations
    ) {
        List<UUID> order = new ArrayList<UUID>(before.keySet())
        if (before.isEmpty()) {
            order.addAll(Outline.strokes(annotations))
        }
        Set<UUID> fresh = new LinkedHashSet<UUID>(now.keySet())
        fresh.removeAll(order)
        if (fresh.size() > 1) {
            // Their order says which is newer only within one parent, where QuPath appends.
            hierarchy.getFlattenedObjectList(null).each { PathObject it ->
                if (fresh.contains(it.ID)) {
                    order.add(it.ID)
                }
            }
        } else {
            order.addAll(fresh)
        }
        Map<UUID, Stroke> sorted = new LinkedHashMap<UUID, Stroke>()
        order.each { UUID id ->
            if (now.containsKey(id)) {
                sorted[id] = now[id]
            }
        }
        return sorted
    }

    private Set<Area> changed(Map<UUID, Stroke> before) {
        Set<Area> areas = new LinkedHashSet<Area>()
        before.each { UUID id, Stroke old ->
            if (known[id]?.text != old.text) {
                Area area = areaOf(old.roi)
                if (area != null) {
                    areas.add(area)
                }
            }
        }
        known.each { UUID id, Stroke stroke ->
            if (before[id]?.text != stroke.text) {
                Area area = areaOf(stroke.roi) ?: grow(square(stroke.roi))
                areas.remove(area)
                areas.add(area)
            }
        }
        return areas.findAll { Area it -> has(it) } as Set<Area>
    }

    /** The area that a shape belongs to: the smallest region, else the square; or null. */
    private Area areaOf(ROI roi) {
        return regions.findAll { Area it -> it.contains(roi) }
            .min { Area it -> (double) it.width * it.height } ?:
            squares.find { Area it -> it.contains(roi) }
    }

    private Area square(ROI roi) {
        return Area.around(roi, MARGIN * downsample, picture.width, picture.height)
            .squared(SIDE * downsample, picture.width, picture.height)
    }

    /** Add a square; those that it runs into become one with it, lest their outlines overlap. */
    private Area grow(Area area) {
        if (regions.contains(area)) {
            return area
        }
        Area grown = area
        Area met
        while ((met = squares.find { Area it -> it.overlaps(grown) }) != null) {
            Area both = grown.union(met)
            if (both != met && Math.max(both.width, both.height) > LONGEST * downsample) {
                break
            }
            squares.remove(met)
            grown = both
        }
        squares.add(grown)
        return grown
    }

    /** All strokes, oldest first, as of the last look. */
    Collection<Stroke> all() {
        return known.values()
    }

    /** The areas that some strokes belong to, as of the last look. */
    Set<Area> areas(Closure<Boolean> which) {
        return known.values().findAll(which).collect { Stroke it -> areaOf(it.roi) } as Set<Area>
    }

    /** The strokes that belong to an area, oldest first, as of the last look. */
    List<Stroke> of(Area area) {
        return known.values().findAll { Stroke it -> areaOf(it.roi) == area } as List<Stroke>
    }

    /** The strokes that lie in an area, oldest first, as of the last look. */
    List<Stroke> inside(Area area) {
        return known.values().findAll { Stroke it -> area.contains(it.roi) } as List<Stroke>
    }

    /** Whether this is an area still: one may have become part of a larger one. */
    boolean has(Area area) {
        return regions.contains(area) || squares.contains(area)
    }

    /** The annotations of strokes that are not yet put away. */
    Collection<PathObject> visible(Collection<Stroke> strokes) {
        return strokes.collect { Stroke it -> drawn[it.id] }
            .findAll { PathObject it -> it != null && !Classes.isPutAway(it.pathClass) }
    }

    /** What the image shows, strokes and outlines, in a form that can be compared. */
    Object state() {
        return [known.values()*.text as Set<String>, outlines]
    }
}
