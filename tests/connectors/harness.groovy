/*
 * QuPath without its window, for tests: reads commands from standard input, one JSON object a line,
 * and answers each with one line. Images, annotations and events are QuPath's own; what is not in
 * its core stands in the folder "standins".
 */
import com.google.gson.JsonObject
import com.google.gson.JsonParser
import java.util.concurrent.FutureTask
import javafx.application.Platform
import javax.script.ScriptContext
import javax.script.ScriptEngineManager
import javax.script.SimpleScriptContext
import qupath.fx.dialogs.Dialogs
import qupath.lib.gui.QuPathGUI
import qupath.lib.images.ImageData
import qupath.lib.images.servers.ImageServerMetadata
import qupath.lib.images.servers.ImageServers
import qupath.lib.io.GsonTools
import qupath.lib.objects.PathObject
import qupath.lib.objects.hierarchy.events.PathObjectHierarchyListener
import qupath.lib.roi.PolygonROI
import qupath.lib.scripting.QP

class Harness {

    final Set<String> threads = Collections.synchronizedSet(new TreeSet<String>())

    def hierarchy() {
        return QP.opened.hierarchy
    }

    PathObject find(JsonObject command) {
        return hierarchy().getAllObjects(false).find { it.ID.toString() == command.get('id').asString }
    }

    static Collection<Thread> live() {
        return Thread.allStackTraces.keySet().findAll { it.name == 'DeepScribble live' }
    }

    void open(JsonObject command) {
        if (!command.has('beside')) {
            live()*.interrupt()
            live()*.join()
        }
        def server = ImageServers.buildServer(command.get('path').asString)
        if (command.has('mpp')) {
            double mpp = command.get('mpp').asDouble
            server.metadata = new ImageServerMetadata.Builder(server.metadata)
                .pixelSizeMicrons(mpp, mpp).build()
        }
        QP.opened = new ImageData(server)
        threads.clear()
        Dialogs.ERRORS.clear()
        Dialogs.NOTES.clear()
        hierarchy().addListener({ threads.add(Thread.currentThread().name) } as PathObjectHierarchyListener)
        if (command.get('window').asBoolean) {
            QuPathGUI.open(QP.opened)
        } else {
            QuPathGUI.close()
        }
    }

    void add(JsonObject command) {
        command.getAsJsonArray('features').each { feature ->
            def drawn = GsonTools.getInstance().fromJson(feature, PathObject)
            hierarchy().addObject(drawn)
        }
    }

    void remove(JsonObject command) {
        hierarchy().removeObject(find(command), true)
    }

    /** As the Image tab does it. */
    void calibrate(JsonObject command) {
        double mpp = command.get('mpp').asDouble
        QP.opened.updateServerMetadata(new ImageServerMetadata.Builder(QP.opened.serverMetadata)
            .pixelSizeMicrons(mpp, mpp).build())
    }

    void lock(JsonObject command) {
        find(command).locked = true
    }

    void reshape(JsonObject command) {
        def shape = GsonTools.getInstance().fromJson(command.get('feature'), PathObject)
        def changed = find(command)
        changed.setROI(shape.ROI)
        hierarchy().fireObjectsChangedEvent(this, [changed])
    }

    void select(JsonObject command) {
        hierarchy().selectionModel.setSelectedObject(find(command))
    }

    void view(JsonObject command) {
        QuPathGUI.instance.view.setBounds(*command.getAsJsonArray('bounds').collect { it.asInt })
    }

    /** As QuPath's own DefaultScriptLanguage runs a file. */
    void script(JsonObject command) {
        def file = new File(command.get('path').asString)
        def context = new SimpleScriptContext()
        context.setAttribute('args', new String[0], ScriptContext.ENGINE_SCOPE)
        context.setAttribute('qupath.script.file', file.absolutePath, ScriptContext.ENGINE_SCOPE)
        new ScriptEngineManager(getClass().classLoader).getEngineByName('groovy').eval(file.text, context)
    }

    void undo() {
        QuPathGUI.instance.undoRedoManager.undoOnce()
    }

    void redo() {
        QuPathGUI.instance.undoRedoManager.redoOnce()
    }

    /** Undo when the next answer waits for the window's thread, before that can show it. */
    void undoBeforeAnswer(JsonObject command) {
        Platform.runLater {
            while (!live().any { it.stackTrace*.className.contains('deepscribble.Gui') }) {
                Thread.sleep(5)
            }
            undo()
        }
    }

    /**
     * An object as QuPath exports it, but for the corners of a plain polygon: they are those that
     * QuPath holds and draws, since what its export derives from them (0.6.0) may lack a lobe that
     * hangs on by less than a hundredth of a pixel.
     */
    static JsonObject feature(PathObject object) {
        def feature = JsonParser.parseString(GsonTools.getInstance().toJson(object)).asJsonObject
        if (object.ROI instanceof PolygonROI) {
            def corners = object.ROI.allPoints.collect { [it.x, it.y] }
            corners.add(corners[0])
            def geometry = feature.getAsJsonObject('geometry')
            geometry.add('coordinates', GsonTools.getInstance().toJsonTree([corners]))
        }
        return feature
    }

    Map state() {
        return [
            objects: hierarchy().getAllObjects(false).collect { feature(it) },
            dialogs: Dialogs.ERRORS,
            notes: Dialogs.NOTES,
            hidden: QuPathGUI.instance?.hidden*.toString(),
            threads: threads,
            live: live().size(),
            listeners: hierarchy().listeners.any { it.class.name == 'deepscribble.Live' },
        ]
    }

    Object answer(JsonObject command) {
        def name = command.get('do').asString
        if (name in ['undo', 'redo', 'state']) {
            return "$name"()
        }
        "$name"(command)
        return null
    }

    /** What a person does in a window happens on its thread; scripts run on threads of their own. */
    Object perform(JsonObject command) {
        if (QuPathGUI.instance == null || command.get('do').asString in ['script', 'open']) {
            return answer(command)
        }
        def task = new FutureTask({ answer(command) })
        Platform.runLater(task)
        return task.get()
    }

    void run() {
        def replies = System.out
        // Whatever else is printed must not be taken for a reply.
        System.out = System.err
        System.in.eachLine('UTF-8') { line ->
            def reply = [:]
            try {
                reply.result = perform(JsonParser.parseString(line).asJsonObject)
            } catch (Throwable error) {
                def cause = error
                while (cause.cause != null) {
                    cause = cause.cause
                }
                reply.error = cause.toString()
                error.printStackTrace()
            }
            replies.println(GsonTools.getInstance().toJson(reply))
            replies.flush()
        }
    }
}

new Harness().run()
