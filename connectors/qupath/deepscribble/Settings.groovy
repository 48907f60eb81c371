package deepscribble

import groovy.transform.CompileStatic

/**
 * What you may want to change. Change it here, save, and run the script again.
 */
@CompileStatic
class Settings {

    /** Where the server answers: what stands after "--http" in "deepscribble serve --http ...". */
    String server = 'http://127.0.0.1:8080'

    /** The token that the server asks for, or empty: a server on this computer asks for none. */
    String token = ''

    /** Strokes of these classes say "this is tumor". "*" stands for any letters. */
    List<String> tumor = ['Tumor']

    /** Strokes of these classes say "this is not". */
    List<String> notTumor = ['Normal', 'Stroma', 'Other', 'Background', 'Ignore*']

    /** Annotations of these classes are regions: strokes inside one belong to its outline. */
    List<String> region = ['Region*']

    /** The class of the outline. */
    String outline = 'Tumor'

    /**
     * false: strokes stay on the screen, as evidence. true: a stroke that was obeyed gets the class
     * "Tumor: Stroke" (or its own class and ": Stroke") and QuPath hides that class.
     */
    boolean hideStrokes = false

    /** The models by name, such as "guide-gland"; empty for the server's own choice. */
    String guideModel = ''
    String refineModel = ''
}
