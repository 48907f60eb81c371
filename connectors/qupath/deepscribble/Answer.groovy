package deepscribble

import com.google.gson.JsonElement
import com.google.gson.JsonObject
import groovy.transform.CompileStatic
import qupath.lib.io.GsonTools
import qupath.lib.objects.PathObject

/** An outline that the server drew, or what changed in it. Never changes. */
@CompileStatic
class Answer {

    /** The annotations that came. */
    final List<PathObject> annotations

    /** The annotations that are gone; null where those that came are the whole outline. */
    final Set<UUID> removed

    /** How the server knows this outline. */
    final String outlineId

    /** What was clipped, left out or assumed, in sentences. */
    final List<String> warnings

    /** @param body may lack what belongs there, which shows as any RuntimeException */
    Answer(JsonObject body) {
        annotations = body.getAsJsonArray('features').collect { JsonElement feature ->
            GsonTools.getInstance().fromJson(feature, PathObject)
        }
        outlineId = body.get('outlineId').asString
        removed = !body.has('removed') ? null : body.getAsJsonArray('removed')
            .collect { JsonElement id -> UUID.fromString(id.asString) } as Set<UUID>
        warnings = body.getAsJsonArray('warnings').collect { JsonElement warning ->
            warning.asJsonObject.get('message').asString
        }
    }
}
