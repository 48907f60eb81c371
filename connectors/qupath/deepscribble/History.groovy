package deepscribble

import groovy.transform.CompileStatic

/**
 * Makes one step of QuPath's undo out of a stroke and the outline that answered it.
 *
 * QuPath takes a copy of all annotations at every change, and undoing puts the last copy back. A
 * stroke and its answer are two changes, so there is a copy between them in which the stroke stands
 * unanswered. When undoing or redoing arrives at such a copy, it must go on in the same direction.
 * QuPath's own undo does that; nothing here changes an annotation.
 */
@CompileStatic
class History {

    private static final int LENGTH = 200

    /** The last answered state; a state is what it shows: ids of strokes, ids of outlines. */
    private Object answered

    /** Unanswered states since then. */
    private final List<Object> waiting = []

    /** For each unanswered state the answered ones before and after it, the newest last. */
    private final Map<Object, List<Object>> between = new LinkedHashMap<Object, List<Object>>()

    /** The state seen last. */
    private Object current

    /** Where the last step led, which several copies of one correction share. */
    private Step direction = Step.STAY

    /** A state in which strokes and outlines agree. */
    void answer(Object state) {
        waiting.each { Object passed ->
            if (passed != state) {
                between.remove(passed)
                between[passed] = [answered, state]
            }
        }
        waiting.clear()
        between.remove(state)
        while (between.size() > LENGTH) {
            between.remove(between.keySet().first())
        }
        answered = state
        current = state
    }

    /** A state in which a stroke waits for its answer. */
    void pass(Object state) {
        if (state != answered) {
            waiting.add(state)
        }
        current = state
    }

    /** QuPath put a copy back, which shows this state. */
    Step restored(Object state) {
        List<Object> ends = between[state]
        Object from = current
        current = state
        waiting.clear()
        if (ends == null) {
            answered = state
            return Step.STAY
        }
        if (from == ends[1]) {
            direction = Step.BACK
        } else if (from == ends[0]) {
            direction = Step.FORTH
        } else if (between[from] != ends) {
            return Step.STAY
        }
        return direction
    }
}
