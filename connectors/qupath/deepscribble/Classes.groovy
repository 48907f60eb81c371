package deepscribble

import groovy.transform.CompileStatic
import java.util.regex.Pattern
import qupath.lib.objects.PathObject
import qupath.lib.objects.classes.PathClass

/** What an annotation is, told by its class, its name and its metadata. */
@CompileStatic
class Classes {

    /** The name that the outline's annotations carry. */
    static final String NAME = 'DeepScribble'

    /** What the keys of their metadata start with. */
    static final String PREFIX = 'deepscribble.'

    private static final String STROKE = 'Stroke'

    private final Settings settings

    Classes(Settings settings) {
        this.settings = settings
    }

    /** true for "this is tumor", false for "this is not", null for what is no stroke. */
    Boolean label(PathObject annotation) {
        if (isOurs(annotation) || !annotation.hasROI() || annotation.ROI.isEmpty()) {
            return null
        }
        for (String name : names(annotation.pathClass)) {
            boolean tumor = matches(name, settings.tumor)
            boolean not = matches(name, settings.notTumor)
            if (tumor && not) {
                throw new Trouble(
                    "The class \"${name}\" is named as tumor and as not tumor; " +
                    'choose one in Settings.groovy'
                )
            }
            if (tumor || not) {
                return tumor
            }
        }
        return null
    }

    /** Whether strokes inside this annotation belong together. */
    boolean isRegion(PathObject annotation) {
        return annotation.hasROI() && annotation.ROI.isArea() && !isOurs(annotation) &&
            names(annotation.pathClass).any { String name -> matches(name, settings.region) }
    }

    /** Whether DeepScribble made this annotation. */
    static boolean isOurs(PathObject annotation) {
        // Asking for metadata makes QuPath 0.6 keep an empty map, hence the name first.
        // What comes from OMERO has more in its name.
        return annotation.name == NAME || annotation.name?.startsWith(NAME + ' ') ||
            annotation.metadata.keySet().any { Object key -> key.toString().startsWith(PREFIX) }
    }

    /** The class of strokes that are put away: "Tumor: Stroke" for "Tumor", which says the same. */
    static PathClass putAway(PathClass pathClass) {
        return isPutAway(pathClass) ? pathClass : PathClass.getInstance(pathClass, STROKE, null)
    }

    static boolean isPutAway(PathClass pathClass) {
        return pathClass != null && pathClass.name == STROKE
    }

    /** The full name of a class, then that of its base: "Tumor: Positive" says what "Tumor" says. */
    private static List<String> names(PathClass pathClass) {
        if (pathClass == null || pathClass == PathClass.NULL_CLASS) {
            return []
        }
        return [pathClass.toString(), pathClass.baseClass.name].unique()
    }

    private static boolean matches(String name, List<String> patterns) {
        return patterns.any { String pattern ->
            String expression = pattern.split('\\*', -1)
                .collect { String part -> Pattern.quote(part) }
                .join('.*')
            return name != null && name.matches(expression)
        }
    }
}
