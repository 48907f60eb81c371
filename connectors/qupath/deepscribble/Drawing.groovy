package deepscribble

import com.google.gson.JsonArray
import com.google.gson.JsonObject
import groovy.transform.CompileStatic
import java.net.http.HttpResponse
import java.util.concurrent.CompletableFuture

/**
 * What is said with the server about one area: the pixels once, then strokes, each of them once.
 * What the server forgot it is told again.
 */
@CompileStatic
class Drawing {

    final Area area

    private final Settings settings
    private final Server server
    private final Picture picture
    private final double downsample
    private String regionId = ''

    /** The outline that the server knows to be on the screen, if any, and the strokes it came of. */
    private String outlineId = ''
    private List<Stroke> told = []
    private Set<UUID> annotations = new HashSet<UUID>()

    Drawing(Area area, Settings settings, Server server, Picture picture, Model model) {
        this.area = area
        this.settings = settings
        this.server = server
        this.picture = picture
        this.downsample = picture.downsample(model.mpp)
        double needed = (area.width / downsample) * (area.height / downsample)
        if (needed > model.pixels) {
            throw new Trouble(
                "The area of ${area.width} x ${area.height} pixels is too large to be drawn in " +
                "at once: it is ${Math.round(needed / 1e6d)} million pixels at the model's scale, " +
                "and the server takes ${Math.round(model.pixels / 1e6d)} million.\n\n" +
                'Select a smaller annotation, or zoom in.'
            )
        }
    }

    /**
     * The outline after these strokes, oldest first.
     *
     * @param shown ids of the annotations of this outline that are on the screen
     * @param wait waits for an answer; what it throws ends the matter, and nothing was remembered
     */
    Answer ask(List<Stroke> strokes, Set<UUID> shown, Closure<JsonObject> wait) {
        if (shown != annotations) {
            // Undone, deleted or edited meanwhile: a change of the last answer would not fit it.
            forget()
        }
        if (!regionId) {
            send()
        }
        try {
            return answer(strokes, wait)
        } catch (Trouble trouble) {
            switch (trouble.reason) {
                case 'REGION_NOT_FOUND':
                    send()
                case 'OUTLINE_NOT_FOUND':
                    forget()
                    return answer(strokes, wait)
                default:
                    throw trouble
            }
        }
    }

    /** The answer is on the screen now, as these annotations, and came of these strokes. */
    void remember(Answer answer, List<Stroke> strokes, Set<UUID> shown) {
        outlineId = answer.outlineId
        told = strokes
        annotations = shown
    }

    private Answer answer(List<Stroke> strokes, Closure<JsonObject> wait) {
        JsonObject body = wait.call(begin(strokes))
        return server.read { new Answer(body) }
    }

    private void forget() {
        outlineId = ''
        told = []
    }

    private void send() {
        regionId = server.put(picture.png(area, downsample))
    }

    private CompletableFuture<HttpResponse<String>> begin(List<Stroke> strokes) {
        int both = Math.min(told.size(), strokes.size())
        int known = 0
        while (known < both && told[known].text == strokes[known].text) {
            known++
        }
        JsonObject region = new JsonObject()
        region.addProperty('x', area.x)
        region.addProperty('y', area.y)
        region.addProperty('width', area.width)
        region.addProperty('height', area.height)
        region.addProperty('mpp', picture.mpp)
        JsonObject pixels = new JsonObject()
        pixels.addProperty('regionId', regionId)
        JsonArray fresh = new JsonArray()
        strokes.drop(known).each { Stroke stroke -> fresh.add(stroke.message) }
        JsonObject message = new JsonObject()
        message.add('region', region)
        message.add('pixels', pixels)
        message.add('strokes', fresh)
        message.addProperty('guideModel', settings.guideModel)
        message.addProperty('refineModel', settings.refineModel)
        message.addProperty('knownOutline', outlineId)
        message.addProperty('knownStrokes', known)
        return server.refine(message)
    }
}
