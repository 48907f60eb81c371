package deepscribble

import com.google.gson.JsonObject
import groovy.transform.CompileStatic
import java.awt.image.BufferedImage
import java.net.http.HttpResponse
import java.util.concurrent.BlockingQueue
import java.util.concurrent.CompletableFuture
import java.util.function.BiConsumer
import org.slf4j.Logger
import org.slf4j.LoggerFactory
import qupath.lib.images.ImageData
import qupath.lib.objects.PathObject
import qupath.lib.objects.hierarchy.PathObjectHierarchy

/** Live refining of one image: what was drawn, what is due, and what to do about it. */
@CompileStatic
class Session {

    private static final Logger LOG = LoggerFactory.getLogger('DeepScribble')

    /** How often a server that has too much to do is asked again, once a second. */
    private static final int PATIENCE = 10

    private final Settings settings
    private final Server server
    private final Model model
    private final BlockingQueue<Boolean> bell
    private final Picture picture
    private final PathObjectHierarchy hierarchy
    private final Strokes strokes
    private final History history = new History()
    private final Map<Area, Drawing> drawings = [:]
    private final Set<Area> due = new LinkedHashSet<Area>()
    private PathObject root

    /** What was said already: texts, and strokes as text. */
    private final Set<String> said = new HashSet<String>()

    /**
     * @param settled ids of annotations that wait for no answer
     * @param bell rings when annotations have changed
     */
    Session(
        ImageData<BufferedImage> image, Set<UUID> settled, Settings settings, Server server,
        Model model, BlockingQueue<Boolean> bell
    ) {
        this.settings = settings
        this.server = server
        this.model = model
        this.bell = bell
        picture = new Picture(image)
        hierarchy = image.hierarchy
        root = hierarchy.rootObject
        strokes = new Strokes(hierarchy, settings, picture, picture.downsample(model.mpp))
        strokes.look()
        due.addAll(strokes.areas { Stroke it -> !settled.contains(it.id) })
        history.answer(strokes.state())
    }

    /** Whether the image's pixels still are as large as this takes them to be. */
    boolean isCurrent() {
        return picture.isCurrent()
    }

    /** Ids of the strokes that wait for no answer, as of the last look. */
    Set<UUID> settled() {
        Set<UUID> ids = strokes.all()*.id as Set<UUID>
        due.each { Area it -> ids.removeAll(strokes.of(it)*.id) }
        return ids
    }

    /** Look at the annotations, and answer strokes until none is due. */
    void work() {
        look()
        int busy = 0
        while (!due.isEmpty()) {
            try {
                refine(due.last())
                busy = 0
            } catch (Trouble trouble) {
                if (trouble.reason != 'OVERLOADED' || ++busy > PATIENCE) {
                    throw trouble
                }
                Thread.sleep(1000)
            } catch (Superseded superseded) {
                LOG.debug('A newer stroke came', superseded)
            }
        }
    }

    private void look() {
        Set<Area> changed = strokes.look()
        PathObject now = hierarchy.rootObject
        if (!now.is(root)) {
            // Only undoing and redoing put another root in place. What they show is what is wanted.
            root = now
            due.clear()
            Step step = history.restored(strokes.state())
            if (step == Step.BACK) {
                Gui.undo()
            } else if (step == Step.FORTH) {
                Gui.redo()
            }
        } else if (!changed.isEmpty()) {
            history.pass(strokes.state())
            due.removeAll(changed)
            due.addAll(changed)
        }
        due.retainAll { Area it -> strokes.has(it) }
    }

    private void refine(Area area) {
        Drawing drawing = drawings[area]
        if (drawing == null) {
            drawing = new Drawing(area, settings, server, picture, model)
            drawings[area] = drawing
        }
        Outline outline = new Outline(hierarchy, area, settings.outline)
        List<Stroke> drawn = strokes.of(area)
        Answer answer = drawing.ask(drawn, outline.shown().keySet()) {
            CompletableFuture<HttpResponse<String>> coming -> await(coming, area, drawn)
        }
        Collection<PathObject> obeyed = settings.hideStrokes ? strokes.visible(drawn) : []
        show(outline, answer, drawn, obeyed)
        obeyed.each { PathObject it -> Gui.hide(it.pathClass) }
        drawing.remember(answer, drawn, outline.shown().keySet())
        due.remove(area)
        answer.warnings.each { String it -> say(it, it) }
        look()
        if (due.isEmpty()) {
            history.answer(strokes.state())
        }
    }

    private void show(
        Outline outline, Answer answer, List<Stroke> drawn, Collection<PathObject> obeyed
    ) {
        PathObject seen = root
        boolean restored = false
        List<Stroke> unheeded = []
        Gui.run {
            // Between the last look and this, only the window's thread could undo something.
            restored = !hierarchy.rootObject.is(seen)
            if (!restored) {
                unheeded = outline.show(answer, drawn, obeyed)
            }
        }
        if (restored) {
            look()
            throw new Superseded()
        }
        unheeded.each { Stroke it -> say(it.text, Outline.UNHEEDED) }
    }

    /** Tell what the pathologist need not answer, once for each reason. */
    private void say(String reason, String message) {
        if (said.add(reason)) {
            Gui.whisper(message)
        }
    }

    /** Wait for an answer, but no longer than until the strokes that it answers are others. */
    private JsonObject await(
        CompletableFuture<HttpResponse<String>> coming, Area area, List<Stroke> drawn
    ) {
        coming.whenComplete({ Object response, Object error -> bell.offer(true) } as BiConsumer)
        try {
            while (true) {
                bell.take()
                look()
                if (!due.contains(area) || strokes.of(area)*.text != drawn*.text) {
                    throw new Superseded()
                }
                if (coming.isDone()) {
                    return server.wait(coming)
                }
            }
        } finally {
            // Where an answer is still to come, nobody waits for it: the server need not go on.
            coming.cancel(true)
        }
    }

    /** A newer stroke makes an answer that has not come yet worthless. */
    private static class Superseded extends Exception {
    }
}
