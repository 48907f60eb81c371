package deepscribble

import com.google.gson.JsonElement
import com.google.gson.JsonObject
import groovy.transform.CompileStatic

/** What must be known of the server's models: their scale, and how much they take at a time. */
@CompileStatic
class Model {

    /** Micrometres per model pixel. */
    final double mpp

    /** The most model pixels of one area. */
    final long pixels

    Model(Server server, Settings settings) {
        JsonObject info = server.get('/v1/server')
        pixels = server.read { info.getAsJsonObject('limits').get('modelPixels').asLong }
        JsonObject models = server.get('/v1/models')
        mpp = server.read { scale(models, settings.guideModel) }
    }

    private static double scale(JsonObject answer, String wanted) {
        List<String> names = []
        for (JsonElement element : answer.getAsJsonArray('models')) {
            JsonObject model = element.asJsonObject
            if (model.get('kind').asString != 'guide') {
                continue
            }
            String name = model.get('name').asString
            names.add(name)
            if (wanted ? name == wanted : model.get('isDefault').asBoolean) {
                return model.get('mpp').asDouble
            }
        }
        throw new Trouble(
            "The server has no model \"${wanted}\". It has: ${names.join(', ')}.\n\n" +
            'Write one of these into Settings.groovy, or nothing for the server\'s own choice.'
        )
    }
}
